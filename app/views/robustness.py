"""Robustness: turn the knob and see what breaks, for whom, and which training held."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.panels.robustness import edits
from app.panels.robustness import item_attack as targeting
from app.panels.robustness import knob as probing
from app.panels.robustness.curves import against_strength
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import errors_shown

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves

st.title("Robustness")
st.markdown(
    "Pictures and texts of products are noisy, and they change. Turn the knob: how much of the "
    "accuracy is left, and whose recommendations change?"
)
choice: state.Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with st.spinner("Loading the engine ..."):
    from engine.robustness import CurveConfig

with errors_shown():
    dataset = state.open_dataset_of(choice)
    probing.knob(choice, dataset)

    st.header("Attack this item")
    st.markdown(
        "Change one product, or one category, and nothing else: in how many lists does it appear, "
        "and how high?"
    )
    targeting.attack_this_item(choice, dataset)

    st.header("What an edit does to a picture or text")
    edits.pictures_and_texts(dataset)

st.header("Accuracy against strength")
with st.expander("What is drawn", icon=":material/tune:"):
    config = forms.config_form(CurveConfig, "curves", columns=3)
if config is None:
    st.stop()
found = work.results_or_offer(
    state.store(), "robustness", choice.ids, config, "Compute these curves"
)
for result in found.values():
    against_strength(cast("RobustnessCurves", result), choice)
