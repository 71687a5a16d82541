"""Landscape: the loss around each solution, on shared directions and one colour scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app import between, forms, state, work
from app.boundary import errors_shown
from app.charts import slices as charts
from app.charts.style import CONFIG
from app.empty import stop_without_runs
from app.tables import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Slice

st.title("Landscape")
st.markdown(
    "How fast does the loss rise when the weights move away from what training found? All runs are "
    "moved along shared directions and measured on the same frozen triples."
)
choice: state.Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with st.expander("What is drawn", icon=":material/tune:"):
    config = forms.config_form(work.config_class("slice"), "slice", columns=3)
if config is None:
    st.stop()

store = state.store()
found = work.results_or_offer(store, "slice", choice.ids, config, "Compute this slice")
for found_result in found.values():
    result = cast("Slice", found_result)
    result = replace(result, labels=choice.labels_of(result.runs, result.labels))
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    quantity = left.selectbox(
        "Quantity", result.quantities, format_func=charts.named, key="quantity", bind="query-params"
    )
    views = ["Contours", "3-D", "Line"] if result.dimensions == 2 else ["Line"]
    view = right.segmented_control(
        "Drawn as", views, default=views[0], required=True, key="drawn", bind="query-params"
    )
    if view == "Contours":
        figure = charts.slice_contours(result, quantity)
    elif view == "3-D":
        figure = charts.slice_surfaces(result, quantity)
    else:
        relative = st.toggle("Show the change from each run's own loss", value=True)
        figure = charts.slice_lines(result, quantity, choice.looks, relative)
    st.plotly_chart(figure, config=CONFIG, alt=f"{quantity} around {', '.join(result.labels)}")
    st.caption(f"{choice.dataset}, one seed a run, no interval. {result.caption}")
    table_and_csv(result.to_frame(), "slice")

with errors_shown():
    between.between_two_runs(choice)
