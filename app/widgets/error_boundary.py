"""Errors meant for the reader become one message on the page; others pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from engine.foundation.errors import BasinError


@contextmanager
def show_errors() -> Iterator[None]:
    """Show a BasinError raised inside as one clear message, without a traceback."""
    try:
        yield
    except BasinError as error:
        st.error(str(error), icon=":material/error:")
