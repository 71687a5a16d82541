"""Keeping the server quiet while a page watches work under way."""

from __future__ import annotations

import gc

import streamlit as st


@st.cache_resource(show_spinner=False)
def spare_the_collector() -> bool:
    """Take all that is loaded by now out of garbage collection, once for the server's life.

    Streamlit collects all generations after every run of a script or fragment. With torch loaded
    that takes 0.1 to 0.2 s, and would be done each second by a page that shows progress.
    """
    gc.collect()
    gc.freeze()
    return True
