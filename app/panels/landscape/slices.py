"""One slice on the page: which quantity, drawn how; and the same while it is being computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import slices as charts
from app.charts.style import CONFIG
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets.downloads import table_and_csv
from engine.studies.previews import find_preview

if TYPE_CHECKING:
    from engine.foundation.config import Config
    from engine.geometry import Slice

PREVIEW_SECONDS = 1.5


def draw_slice(result: Slice, choice: state.Choice) -> None:
    """Choose a quantity and a view of it; of a preview, the part that is known so far."""
    result = named_as_here(result, choice)
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    quantity = left.selectbox(
        "Quantity", result.quantities, format_func=charts.named, key="quantity", bind="query-params"
    )
    views = ["Contours", "3-D", "Line"] if result.dimensions == 2 else ["Line"]
    view = right.segmented_control(
        "Drawn as", views, default=views[0], required=True, key="drawn", bind="query-params"
    )
    known = result.coarse(quantity)
    if known is not result:
        counts = " × ".join(str(n) for n in known.values_RQAB.shape[2 : 2 + result.dimensions])
        whole = " × ".join(str(n) for n in result.values_RQAB.shape[2 : 2 + result.dimensions])
        st.info(f"A coarse picture so far: {counts} of {whole} points.", icon=":material/grain:")
        if not known.values_RQAB.size:
            return
    if view == "Contours":
        figure = charts.slice_contours(known, quantity)
    elif view == "3-D":
        figure = charts.slice_surfaces(known, quantity)
    else:
        relative = st.toggle("Show the change from each run's own value", value=True)
        figure = charts.slice_lines(known, quantity, choice.looks, relative)
    st.plotly_chart(figure, config=CONFIG, alt=f"{quantity} around {', '.join(result.labels)}")
    st.caption(f"{choice.dataset}, one seed a run, no interval. {result.caption}")
    if known is result:
        for name, table in result.tables().items():
            table_and_csv(table, name or "slice", f"Table of the {name or 'slice'}")


def named_as_here(result: Slice, choice: state.Choice) -> Slice:
    """A slice whose runs are called as everywhere on the pages."""
    if not result.mark_labels:
        return replace(result, labels=choice.labels_of(result.runs, result.labels))
    marks = choice.labels_of(result.runs[0].split(), result.mark_labels)
    return replace(result, labels=[" – ".join(marks)], mark_labels=marks)


@st.fragment(run_every=PREVIEW_SECONDS)
def draw_slice_so_far(choice: state.Choice, config: Config) -> None:
    """What the job has found so far, redrawn as it sharpens; nothing before the first picture."""
    found = find_preview(state.store(), "slice", choice.ids, config)
    if found is not None:
        draw_slice(cast("Slice", found), choice)


def draw_slices(choice: state.Choice, config: Config) -> None:
    """The kept slice, or the offer to compute it, or what there is of it so far."""
    runs: Sequence[str] = choice.ids
    found = work.results_or_offer(state.store(), "slice", runs, config, "Compute this slice")
    for result in found.values():
        draw_slice(cast("Slice", result), choice)
    if not found and work.is_under_way(state.store(), "slice", runs, config):
        draw_slice_so_far(choice, config)
