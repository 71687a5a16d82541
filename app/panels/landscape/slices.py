"""One slice on the page: which quantity, drawn how; and the same while it is being computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import slices as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, is_under_way, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors
from engine.studies.previews import find_preview

if TYPE_CHECKING:
    from engine.foundation.config import Config
    from engine.geometry import Slice

PREVIEW_SECONDS = 1.5


def slices(choice: Choice) -> None:
    """The settings, then the slice: computed before, offered, or as far as it is known."""
    with st.expander("Settings of the slice", icon=":material/tune:"):
        config = config_form(config_class("slice"), "slice", columns=3)
    if config is None:
        return
    results = results_or_offer(run_store(), "slice", choice.ids, config, "Compute this slice")
    for result in results.values():
        draw_slice(cast("Slice", result), choice)
    if not results and is_under_way(run_store(), "slice", choice.ids, config):
        draw_slice_so_far(choice, config)


def draw_slice(result: Slice, choice: Choice) -> None:
    """Choose a quantity and a view of it; of a preview, the part that is known so far."""
    result = with_page_labels(result, choice)
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    quantity = left.selectbox(
        "Quantity",
        result.quantities,
        format_func=charts.quantity_title,
        key="quantity",
        bind="query-params",
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
    st.caption(f"{choice.dataset}, one seed a run, no interval. {escape(result.caption)}")
    if known is result:
        for name, table in result.tables().items():
            table_and_csv(table, name or "slice", f"Table of the {name or 'slice'}")


def with_page_labels(result: Slice, choice: Choice) -> Slice:
    """A slice whose runs are called as everywhere on the pages."""
    if not result.mark_labels:
        return replace(result, labels=choice.labels_of(result.runs, result.labels))
    marks = choice.labels_of(result.runs[0].split(), result.mark_labels)
    return replace(result, labels=[" – ".join(marks)], mark_labels=marks)


@st.fragment(run_every=PREVIEW_SECONDS)
@show_errors()
def draw_slice_so_far(choice: Choice, config: Config) -> None:
    """What the job has found so far, redrawn as it sharpens; nothing before the first picture."""
    preview = find_preview(run_store(), "slice", choice.ids, config)
    if preview is not None:
        draw_slice(cast("Slice", preview), choice)
