"""What moves what: every measure of flatness under every rewriting that changes no order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.curvature.symmetry import changes_by_transformation
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Symmetry


def what_moves_what(choice: Choice) -> None:
    """One chosen run with its factors written down in several ways."""
    st.markdown(
        "The same recommender can be written down in many ways: user and item factors scaled "
        "against each other, rotated, mixed by any invertible matrix, all scores multiplied, one "
        "vector added to every item. No user's list changes. Which measures of flatness do?"
    )
    run = st.selectbox(
        "Run",
        choice.ids,
        format_func=choice.labels.__getitem__,
        key="symmetry.run",
        bind="query-params",
    )
    with st.expander("By how much", icon=":material/tune:"):
        config = config_form(config_class("symmetry"), "symmetry", columns=3)
    if config is None:
        return
    results = results_or_offer(
        run_store(), "symmetry", [run], config, "Rewrite this run and measure"
    )
    for result in results.values():
        symmetry = replace(cast("Symmetry", result), label=choice.labels[run])
        figure = changes_by_transformation(symmetry)
        st.plotly_chart(
            figure, config=CONFIG, alt="Largest relative change of each measure, by rewriting"
        )
        st.caption(f"{choice.dataset}, one seed, no interval. {escape(symmetry.caption)}")
        table_and_csv(symmetry.change_frame(), "symmetry", "Largest relative changes")
        table_and_csv(symmetry.to_frame(), "symmetry-copies", "Every rewriting")
