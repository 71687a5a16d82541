"""The result in one table: clean accuracy and, where computed, what is left under attack."""

from __future__ import annotations

import streamlit as st

from app.state import Choice


def headline(choice: Choice) -> None:
    """What the chosen runs show, in a sentence and a table."""
    st.subheader("What you see")
    table = choice.table
    if table.empty:
        st.info("The runs of the last demonstration are gone.")
        return
    columns = {"label": "Run", "test.recall@20": "Recall@20", "test.ndcg@20": "NDCG@20"}
    shown = table[[c for c in columns if c in table]].rename(columns=columns)
    st.dataframe(shown, hide_index=True, width="stretch")
