"""A table and its CSV under a chart."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st


def table_and_csv(
    frame: pd.DataFrame, name: str, label: str = "Table", columns: dict[str, Any] | None = None
) -> None:
    """The numbers behind a chart, folded away, and the same as a file to keep."""
    with st.expander(f"{label} ({len(frame):,} rows)", icon=":material/table:"):
        st.dataframe(frame.head(5000), hide_index=True, width="stretch", column_config=columns)
        csv_button(frame, name)


def csv_button(frame: pd.DataFrame, name: str) -> None:
    """Download a frame as CSV; made only when asked for."""
    st.download_button(
        "Download CSV",
        data=lambda: frame.to_csv(index=False).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"csv.{name}",
    )
