"""Playground: steppers side by side on two weights that one can drag."""

from __future__ import annotations

import streamlit as st

from app.learn.playground import PlaygroundSettings, playground
from app.learn.playground.component import settings_from_address, settings_to_address
from engine.foundation.errors import ConfigError

st.title("Playground")
st.markdown(
    "Four ways to step, from the same start and with the same noise. Drag the start; the address "
    "holds the whole state, so a link shows what you see."
)
try:
    start = settings_from_address() or PlaygroundSettings()
except ConfigError as error:
    st.error(str(error))
    start = PlaygroundSettings()
start = st.session_state.setdefault("playground.start", start)


@st.fragment
def show() -> None:
    """The playground alone: a change reruns nothing else."""
    settings_to_address(playground(start, key="page"))


show()
