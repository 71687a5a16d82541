"""The minima of the demonstration: how fast the loss rises around each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import profiles as charts
from app.charts.style import CONFIG, look
from app.learn.pictures.demonstration_runs import demonstration_runs
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer

if TYPE_CHECKING:
    from engine.geometry import LossProfiles


def own_minima() -> None:
    """Profiles of the four strategies on one axis."""
    runs = demonstration_runs()
    results = results_or_offer(
        run_store(), "profile", [run.id for run in runs.values()], config_class("profile")(),
        "Compute the profiles",
    )  # fmt: skip
    for result in results.values():
        profiles = cast("LossProfiles", result)
        looks = {name: look(i) for i, name in enumerate(profiles.labels)}
        sentence = charts.profile_sentence(profiles)
        figure = charts.profile_curves(profiles, looks).update_layout(height=400)
        st.plotly_chart(figure, config=CONFIG, key="lesson.profiles", alt=sentence)
        st.markdown(sentence)
        st.caption(
            "Thick: along each run's own sharpest direction; thin: the parabola of its curvature; "
            "marker: the loss has doubled. The made-up shop, one seed: may be chance."
        )
