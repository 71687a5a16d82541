"""Where errors meant to be read are shown, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from engine.foundation.errors import BasinError


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show a BasinError raised inside as one clear message, without a traceback."""
    try:
        yield
    except BasinError as error:
        st.error(str(error), icon=":material/error:")
