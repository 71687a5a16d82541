"""The settings in which the chosen runs differ."""

from __future__ import annotations

import streamlit as st

from app.selection.choice import Choice
from app.widgets.downloads import csv_button


def settings(choice: Choice) -> None:
    """One row a setting that is not the same in all chosen runs."""
    from engine.runs.comparison.comparison_tables import settings_that_differ

    differing = settings_that_differ(choice.table)
    if len(differing):
        st.dataframe(differing, hide_index=True, width="stretch")
        csv_button(differing, "settings")
    else:
        st.caption("The chosen runs have the same settings.")
