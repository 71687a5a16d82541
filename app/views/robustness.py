"""Robustness: what breaks, for whom, and which training held."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from app.panels.robustness.curves import accuracy_against_strength, looks_of_series, tables
from app.panels.robustness.edits import pictures_and_texts
from app.panels.robustness.item_attack import attack_this_item
from app.panels.robustness.item_groups import by_item_group
from app.panels.robustness.knob import knob
from app.panels.robustness.paired import which_training_held_better
from app.panels.robustness.users import which_users_lose
from app.selection.choice import Choice, open_dataset_of
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors
from app.widgets.glossary import explain
from app.widgets.lazy_tabs import lazy_tabs

st.title(
    "Robustness", help=explain("FGSM", "PGD", "Epsilon", "Random control", "Reliance", "Recall@k")
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()

curves = None
with show_errors():
    curves = accuracy_against_strength(choice)
contents: dict[str, Callable[[], None]] = {
    "Turn the knob": lambda: knob(choice, open_dataset_of(choice)),
    "Attack an item": lambda: attack_this_item(choice, open_dataset_of(choice)),
    "Edit a picture or text": lambda: pictures_and_texts(open_dataset_of(choice)),
}
if curves is not None:
    looks = looks_of_series(curves, choice)
    contents |= {
        "Which items?": partial(by_item_group, curves, looks, choice),
        "Which users?": partial(which_users_lose, curves, choice),
        "Which training?": partial(which_training_held_better, curves, choice),
        "Tables": partial(tables, curves),
    }
lazy_tabs("robustness", contents)
