"""Landscape: the loss around each solution, on shared directions and one colour scale."""

from __future__ import annotations

import streamlit as st

from app.panels.landscape.path import between_two_runs
from app.panels.landscape.slices import slices
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Landscape")
st.markdown(
    "How fast does the loss rise when the weights move away from what training found? All runs are "
    "moved along shared directions and measured on the same frozen triples."
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
slices(choice)
with show_errors():
    between_two_runs(choice)
