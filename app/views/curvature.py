"""Curvature: flat or sharp, in raw numbers and in numbers that may be compared."""

from __future__ import annotations

import streamlit as st

from app.panels.curvature.along_training import along_training
from app.panels.curvature.correlation import does_flatness_predict_robustness
from app.panels.curvature.flatness import flatness
from app.panels.curvature.input_sharpness import input_sharpness
from app.panels.curvature.spectrum import curvatures, spectra
from app.panels.curvature.symmetry import what_moves_what
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Curvature")
st.markdown(
    "The eigenvalues of the Hessian say how sharply the loss bends at each solution. Raw "
    "eigenvalues change when the factors are merely written down differently, so measures that no "
    "such rewriting moves stand beside them. Training stops early: these weights are no exact "
    "minima, as the gradient norm and the smallest eigenvalue tell."
)
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with show_errors():
    if results := curvatures(choice):
        spectra(results, choice)
        flatness(results, choice)
        input_sharpness(results, choice)
with show_errors():
    what_moves_what(choice)
with show_errors():
    along_training(choice)
does_flatness_predict_robustness(choice)
