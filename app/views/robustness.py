"""Robustness: turn the knob and see what breaks, for whom, and which training held."""

from __future__ import annotations

import streamlit as st

from app.panels.robustness.curves import accuracy_against_strength
from app.panels.robustness.edits import pictures_and_texts
from app.panels.robustness.item_attack import attack_this_item
from app.panels.robustness.knob import knob
from app.selection.choice import Choice, open_dataset_of
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Robustness")
st.markdown(
    "Pictures and texts of products are noisy, and they change. Turn the knob: how much of the "
    "accuracy is left, and whose recommendations change?"
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with show_errors():
    dataset = open_dataset_of(choice)
    knob(choice, dataset)
    attack_this_item(choice, dataset)
    pictures_and_texts(dataset)
with show_errors():
    accuracy_against_strength(choice)
