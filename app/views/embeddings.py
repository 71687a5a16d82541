"""Embeddings: which products, or users, a model holds to be alike."""

from __future__ import annotations

import streamlit as st

from app.panels.embeddings.maps import maps_of_runs
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title(
    "Embeddings",
    help="Products that a model holds to be alike lie near each other; point at one for its "
    "picture, and compare the runs",
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with show_errors():
    maps_of_runs(choice.one_a_strategy())
