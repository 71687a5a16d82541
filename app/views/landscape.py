"""Landscape: the loss around each solution, on shared directions and one colour scale."""

from __future__ import annotations

import streamlit as st

from app.panels.landscape import path as between
from app.panels.landscape.slices import draw_slices
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import errors_shown

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
if config is not None:
    draw_slices(choice, config)

with errors_shown():
    between.between_two_runs(choice)
