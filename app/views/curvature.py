"""Curvature: flat or sharp, in raw numbers and in numbers that may be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.panels.curvature import flatness
from app.panels.curvature import input_sharpness as inputs
from app.panels.curvature import spectrum as eigenvalues
from app.panels.curvature import symmetry as rescaling
from app.selection import state
from app.widgets import analysis_jobs as work
from app.widgets import config_form as forms
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import errors_shown

if TYPE_CHECKING:
    from engine.geometry import Curvature

st.title("Curvature")
st.markdown(
    "The eigenvalues of the Hessian say how sharply the loss bends at each solution. Raw "
    "eigenvalues can be changed without changing a single recommendation, so each comes with "
    "companions that cannot."
)
choice: state.Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with st.expander("What is computed", icon=":material/tune:"):
    config = forms.config_form(work.config_class("curvature"), "curvature", columns=4)
if config is not None:
    found = work.results_or_offer(
        state.store(), "curvature", choice.ids, config, "Compute the curvature"
    )
    results = {choice.labels[runs[0]]: cast("Curvature", result) for runs, result in found.items()}
    if results:
        eigenvalues.spectra(results, choice)
        eigenvalues.flatness(results, choice)
        inputs.input_sharpness(results, choice)

with errors_shown():
    rescaling.why_raw_eigenvalues_lie(choice)
flatness.does_flatness_predict_robustness(choice)
