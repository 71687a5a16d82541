"""Between two runs: is there a way from one minimum to the other without a hill?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.path import ways_between
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import ModePath


def between_two_runs(choice: Choice) -> None:
    """Choose two of the runs; the straight line and a trained curve between them."""
    if len(choice.ids) < 2:
        st.caption("Choose at least two runs on the left to look at the ways between them.")
        return
    st.markdown(
        "Two trainings end at different weights. Is there a hill between them, or a way around it?"
    )
    left, right = st.columns(2)
    first = left.selectbox(
        "From",
        choice.ids,
        format_func=choice.labels.__getitem__,
        key="path.from",
        bind="query-params",
    )
    others = [run for run in choice.ids if run != first]
    second = right.selectbox(
        "To", others, format_func=choice.labels.__getitem__, key="path.to", bind="query-params"
    )
    with st.expander("How the curve is found", icon=":material/tune:"):
        config = config_form(config_class("path"), "path", columns=4)
    if config is None:
        return
    results = results_or_offer(
        run_store(), "path", [first, second], config, "Find the ways between them"
    )
    for result in results.values():
        path = cast("ModePath", result)
        path = replace(path, labels=choice.labels_of(path.runs, path.labels))
        figures = ways_between(path)
        for column, (name, figure) in zip(st.columns(len(figures)), figures.items(), strict=True):
            column.markdown(f"**{name}**")
            alt = f"{name} from {' to '.join(path.labels)}"
            column.plotly_chart(figure, config=CONFIG, alt=alt)
        st.caption(f"{choice.dataset}, one seed a run, no interval. {escape(path.caption)}")
        table_and_csv(path.to_frame(), "path")
