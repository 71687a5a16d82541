"""Curvature: flat or sharp, in raw numbers and in numbers that may be compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from app.panels.curvature.along_training import along_training
from app.panels.curvature.correlation import does_flatness_predict_robustness
from app.panels.curvature.flatness import comparable_flatness, every_measure
from app.panels.curvature.input_sharpness import input_sharpness
from app.panels.curvature.spectrum import curvatures, spectra
from app.panels.curvature.symmetry import what_moves_what
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors
from app.widgets.glossary import explain
from app.widgets.lazy_tabs import lazy_tabs

st.title("Curvature", help=explain("Hessian", "Trace", "Invariant", "Calibrated", "Nats"))
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
answer = st.container()
results = {}
with show_errors():
    results = curvatures(choice)
contents: dict[str, Callable[[], None]] = {}
if results:
    with answer, show_errors():
        comparable_flatness(results, choice)
    contents = {
        "Eigenvalues": partial(spectra, results, choice),
        "Every measure": partial(every_measure, results, choice),
        "Sensitivity to features": partial(input_sharpness, results, choice),
    }
contents |= {
    "Along training": partial(along_training, choice),
    "What moves what": partial(what_moves_what, choice),
    "Does flatness predict robustness?": partial(does_flatness_predict_robustness, choice),
}
lazy_tabs("curvature", contents)
