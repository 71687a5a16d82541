"""Where this visitor works: the runs folder, and the dataset looked at and trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from engine.runs import RunStore

if TYPE_CHECKING:
    from engine.data import Dataset

DEFAULT_DATASET = "sample"


def run_store() -> RunStore:
    """The runs folder: ``BASIN_RUNS``, else ``./runs``."""
    return RunStore()


def uploads_folder() -> Path:
    """Where uploaded datasets are kept: beside the runs, out of sight of the list of runs."""
    return run_store().root / ".uploads"


def dataset_path() -> str:
    """The dataset to look at and to train on, as read_dataset takes it."""
    return str(st.session_state.get("dataset") or DEFAULT_DATASET)


def look_at_dataset(path: str) -> None:
    """Choose a dataset, on all pages."""
    st.session_state["dataset"] = path


def known_datasets() -> dict[str, str]:
    """Label by path of every dataset on this machine that Basin lists."""
    with st.spinner("Loading the engine ..."):
        # imports torch: only after the first paint
        from engine.data.readers import default_roots, find_datasets

    labels = {path: label for label, path in find_datasets([*default_roots(), uploads_folder()])}
    if "sample:shop" in labels:
        labels = {DEFAULT_DATASET: labels.pop("sample:shop"), **labels}
    return labels


def open_dataset(path: str) -> Dataset:
    """The dataset at a path, read once per process; raises DataError where it cannot be read."""
    with st.spinner("Reading the dataset ..."):
        from engine.runs.opened import cached_dataset  # imports torch: only after the first paint

        return cached_dataset(path)
