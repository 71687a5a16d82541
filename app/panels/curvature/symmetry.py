"""Why a raw eigenvalue can lie: one recommender, written down in several ways."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.style import CONFIG
from app.charts.symmetry import measures_by_factor
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import ScaleSymmetry


def why_raw_eigenvalues_lie(choice: state.Choice) -> None:
    """One chosen run with its user factors multiplied and its item factors divided."""
    st.header("Why a raw eigenvalue can lie")
    st.markdown(
        "Multiply all user factors by *c* and divide all item factors by *c*: every score, every "
        "list and every loss stays the same. What happens to the measures of flatness?"
    )
    run = st.selectbox("Run", choice.ids, format_func=choice.labels.__getitem__, key="symmetry.run")
    with st.expander("By how much", icon=":material/tune:"):
        config = forms.config_form(work.config_class("symmetry"), "symmetry", columns=3)
    if config is None:
        return
    found = work.results_or_offer(
        state.store(), "symmetry", [run], config, "Rescale this run and measure"
    )
    for result in found.values():
        symmetry = replace(cast("ScaleSymmetry", result), label=choice.labels[run])
        table = symmetry.to_frame()
        figure = measures_by_factor(table)
        st.plotly_chart(figure, config=CONFIG, alt="Flatness measures of one rescaled run")
        st.caption(f"{choice.dataset}, one seed, no interval. {symmetry.caption}")
        table_and_csv(table, "symmetry")
