"""The address says what is looked at, so that a link opens the same view again."""

from __future__ import annotations

import streamlit as st

from app.selection.choice import look_at_runs
from app.selection.workspace import dataset_path, look_at_dataset


def open_from_address() -> None:
    """On a visitor's first run of the script, take what the link names."""
    if "opened" in st.session_state:
        return
    st.session_state["opened"] = True
    if "dataset" in st.query_params:
        look_at_dataset(st.query_params["dataset"])
    if "runs" in st.query_params:
        look_at_runs(st.query_params["runs"].split(","))


def write_to_address() -> None:
    """Write dataset and runs into the address."""
    wanted = {"dataset": dataset_path(), "runs": ",".join(st.session_state.get("runs") or [])}
    for name, value in wanted.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]
