"""Tabs whose content is made when they are opened; which one is open stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from app.widgets.error_boundary import show_errors


def lazy_tabs(key: str, contents: Mapping[str, Callable[[], None]]) -> None:
    """One tab for each content, by its title; only the open one is drawn."""
    tabs = st.tabs(list(contents), key=key, on_change="rerun", bind="query-params")
    for tab, draw in zip(tabs, contents.values(), strict=True):
        if tab.open:
            with tab, show_errors():
                draw()
