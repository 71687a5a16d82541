"""Landscape: which solution is flat and which sharp?"""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.panels.landscape.path import between_two_runs
from app.panels.landscape.profiles import profiles
from app.panels.landscape.slices import slices
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors
from app.widgets.glossary import explain
from app.widgets.lazy_tabs import lazy_tabs

st.title(
    "Landscape", help=explain("Flat, sharp", "Nats", "Frozen triples", "Calibrated", "Hessian")
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with show_errors():
    profiles(choice.one_a_strategy())
lazy_tabs(
    "landscape",
    {
        "Contours and surfaces": partial(slices, choice.one_a_strategy()),
        "Between two runs": partial(between_two_runs, choice),
    },
)
