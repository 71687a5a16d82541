"""The runs that lessons show: those of the newest demonstration."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from app.selection.workspace import run_store
from app.widgets.demonstration_button import newest_status, start_button, watch_demonstration
from engine.foundation.strategy_rule import without_seed
from engine.runs import Run

STRATEGIES = ("plain", "mg", "amr", "mg+amr")


def demonstration_runs() -> dict[str, Run]:
    """The demonstration's finished runs of the first seed, by strategy.

    Where they are not there yet the lesson stops here: it offers to train them, or shows how far
    they are.
    """
    first: dict[str, Run] = {}
    for run in demonstration_seeds():
        first.setdefault(without_seed(run.name), run)
    return {name: first[name] for name in STRATEGIES}


def demonstration_seeds() -> list[Run]:
    """All finished runs of the demonstration; stops as ``demonstration_runs`` does."""
    status = newest_status()
    runs = [run_store().get(run_id) for run_id in status.runs] if status is not None else []
    finished = [run for run in runs if run.status.state == "finished"]
    if not set(STRATEGIES) <= {without_seed(run.name) for run in finished}:
        _offer(is_under_way=status is not None and not status.is_over)
    return finished


def _offer(is_under_way: bool) -> NoReturn:
    if is_under_way:
        st.info("This lesson shows runs that are being trained now.")
        watch_demonstration()
    else:
        st.info("This lesson shows trained runs. Train them first: one click.")
        start_button(first=True)
    st.stop()
