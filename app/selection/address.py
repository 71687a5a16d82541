"""The address says what is looked at, so that a link opens the same view again."""

from __future__ import annotations

import streamlit as st

from app.charts.text import escape, short
from app.selection.choice import look_at_runs, trained_runs
from app.selection.workspace import (
    DEFAULT_DATASET,
    dataset_path,
    known_datasets,
    look_at_dataset,
    run_store,
)


def open_from_address() -> None:
    """On a visitor's first run of the script, take what the link names."""
    if "opened" in st.session_state:
        return
    st.session_state["opened"] = True
    if dataset := st.query_params.get("dataset"):
        if may_be_linked(dataset):
            look_at_dataset(dataset)
        else:
            st.warning(
                f"The link names dataset {escape(short(dataset, 200))}, which is not among those "
                "found here; to open it, type its path on the Overview."
            )
    if "runs" in st.query_params:
        look_at_runs(st.query_params["runs"].split(","))


def may_be_linked(dataset: str) -> bool:
    """Whether a link alone may open a dataset: one that Basin lists, or that a run was trained on.

    A link comes from anywhere: it must not make this machine read a folder or make up a dataset of
    any size.
    """
    if dataset == DEFAULT_DATASET:
        return True
    sources = (run_store().get(run).provenance for run in trained_runs()["id"])
    if dataset in {source.get("dataset", {}).get("source") for source in sources}:
        return True
    return dataset in known_datasets()


def write_to_address() -> None:
    """Write dataset and runs into the address."""
    wanted = {"dataset": dataset_path(), "runs": ",".join(st.session_state.get("runs") or [])}
    for name, value in wanted.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]
