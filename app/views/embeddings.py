"""Embeddings: which products, or users, a model holds to be alike."""

from __future__ import annotations

from typing import cast

import streamlit as st

from app.charts.maps import HOVER_LINES, ColourBy, embedding_maps
from app.charts.style import CONFIG
from app.panels.embeddings import maps
from app.panels.embeddings.hover import hover_pictures
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.downloads import table_and_csv
from app.widgets.empty_states import stop_without_runs
from app.widgets.pictures import picture_paths, picture_sheet

st.title("Embeddings")
st.markdown(
    "Products that a model holds to be alike lie near each other. Point at one to see its picture; "
    "compare the runs: do misleading products sit with their true kind?"
)
choice: state.Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
dataset = state.open_dataset_of(choice)
kind = "align" if len(choice.ids) > 1 else "embed"
with st.expander("What is drawn", icon=":material/tune:"):
    config = forms.config_form(work.config_class(kind), kind, columns=3)
if config is None:
    st.stop()

found = work.results_or_offer(state.store(), kind, choice.ids, config, "Compute these maps")
shown = maps.maps_of(found, choice)
if shown is None:
    st.stop()
about = maps.facts(dataset, shown)
ways = ["category", "popularity", "noise"]
if not (about["category"] != "").any():
    ways.remove("category")
if not (about["noise"] != "").any():
    ways.remove("noise")
names = {
    "category": "Category",
    "popularity": "Popularity" if shown.points == "item" else "Activity",
    "noise": "Misleading on purpose",
}
way = st.segmented_control(
    "Colour by", ways, default=ways[0], required=True, format_func=names.__getitem__,
    key="colour", bind="query-params",
)  # fmt: skip
figure = embedding_maps(shown.coordinates, shown.labels, about, cast("ColourBy", way or ways[0]))
figure.update_traces(hoverinfo="none", hovertemplate=None)
sheet = picture_sheet(picture_paths(dataset.items)) if shown.points == "item" else None
st.plotly_chart(figure, config=CONFIG, key="map", alt=f"Map of {shown.points}s in each run")
hover_pictures("map", sheet, HOVER_LINES)
st.caption(f"{choice.dataset}, one seed a run. {shown.caption}")
table_and_csv(shown.table, "embedding")
