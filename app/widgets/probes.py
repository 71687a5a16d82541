"""Models kept open with their clean state, so that a perturbation is answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.selection.choice import Choice
from app.selection.workspace import run_store

if TYPE_CHECKING:
    from engine.robustness import RobustnessProbe

CUTOFFS = (10, 20)


@st.cache_resource(max_entries=16, show_spinner="Opening the model ...")
def probe_of(path: str, written: float) -> RobustnessProbe:
    """A run's model with its clean state, kept as long as its weights stay the same."""
    from engine.robustness import RobustnessProbe
    from engine.runs import Run
    from engine.runs.opened import open_run

    del written  # only part of the key
    return RobustnessProbe(open_run(Run(run_store().root / path), device="cpu"), cutoffs=CUTOFFS)


def probes(choice: Choice) -> dict[str, RobustnessProbe]:
    """A probe for each chosen run, by its id."""
    weights = {run: run_store().root / run / "weights.safetensors" for run in choice.ids}
    return {run: probe_of(run, path.stat().st_mtime) for run, path in weights.items()}
