"""Between two runs: is there a way from one minimum to the other without a hill?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.path import ways_between
from app.charts.style import CONFIG
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import ModePath


def between_two_runs(choice: state.Choice) -> None:
    """Choose two of the runs; the straight line and a trained curve between them."""
    st.header("Between two runs")
    if len(choice.ids) < 2:
        st.caption("Choose at least two runs on the left to look at the ways between them.")
        return
    st.markdown(
        "Two trainings end at different weights. Is there a hill between them, or a way around it?"
    )
    left, right = st.columns(2)
    first = left.selectbox(
        "From", choice.ids, format_func=choice.labels.__getitem__, key="path.from"
    )
    others = [run for run in choice.ids if run != first]
    second = right.selectbox("To", others, format_func=choice.labels.__getitem__, key="path.to")
    with st.expander("How the curve is found", icon=":material/tune:"):
        config = forms.config_form(work.config_class("path"), "path", columns=4)
    if config is None:
        return
    found = work.results_or_offer(
        state.store(), "path", [first, second], config, "Find the ways between them"
    )
    for result in found.values():
        path = cast("ModePath", result)
        path = replace(path, labels=choice.labels_of(path.runs, path.labels))
        figures = ways_between(path)
        for column, (name, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
            column.markdown(f"**{name}**")
            alt = f"{name} from {' to '.join(path.labels)}"
            column.plotly_chart(figure, config=CONFIG, alt=alt)
        st.caption(f"{choice.dataset}, one seed a run, no interval. {path.caption}")
        table_and_csv(path.to_frame(), "path")
