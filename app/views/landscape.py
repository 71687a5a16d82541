"""Landscape: how fast the loss rises around each solution; slices and ways between behind tabs."""

from __future__ import annotations

import streamlit as st

from app.panels.landscape.path import between_two_runs
from app.panels.landscape.profiles import profiles
from app.panels.landscape.slices import slices
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Landscape")
st.markdown(
    "How fast does the loss rise when the weights move away from what training found? Sharp and "
    "flat can be read off here: each run moves along its own sharpest direction."
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with show_errors():
    profiles(choice.one_a_strategy())
surface, between = st.tabs(
    ["Slices on shared directions", "Between two runs"], key="landscape.tab", on_change="rerun"
)
if surface.open:
    with surface, show_errors():
        slices(choice.one_a_strategy())
if between.open:
    with between, show_errors():
        between_two_runs(choice)
