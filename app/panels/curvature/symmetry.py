"""Why a raw eigenvalue can lie: one recommender, written down in several ways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.style import CONFIG
from app.charts.symmetry import measures_by_factor
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import ScaleSymmetry


def why_raw_eigenvalues_lie(choice: Choice) -> None:
    """One chosen run with its user factors multiplied and its item factors divided."""
    st.header("Why a raw eigenvalue can lie")
    st.markdown(
        "Multiply all user factors by *c* and divide all item factors by *c*: every score, every "
        "list and every loss stays the same. What happens to the measures of flatness?"
    )
    run = st.selectbox("Run", choice.ids, format_func=choice.labels.__getitem__, key="symmetry.run")
    with st.expander("By how much", icon=":material/tune:"):
        config = config_form(config_class("symmetry"), "symmetry", columns=3)
    if config is None:
        return
    results = results_or_offer(
        run_store(), "symmetry", [run], config, "Rescale this run and measure"
    )
    for result in results.values():
        symmetry = replace(cast("ScaleSymmetry", result), label=choice.labels[run])
        table = symmetry.to_frame()
        figure = measures_by_factor(table)
        st.plotly_chart(figure, config=CONFIG, alt="Flatness measures of one rescaled run")
        st.caption(f"{choice.dataset}, one seed, no interval. {escape(symmetry.caption)}")
        table_and_csv(table, "symmetry")
