"""What this visitor looks at: the runs folder, a dataset and the chosen runs.

The dataset and the runs are kept in the address too, so that a link opens the same view again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.style import Look, look
from app.selection.groups import group_labels, with_groups
from app.selection.strategy_picker import choose_strategies
from engine.runs import Run, RunStore

if TYPE_CHECKING:
    from engine.data import Dataset

DEFAULT_DATASET = "sample"
MOST_STRATEGIES = 4
"""Strategies of which a run is chosen before the visitor has chosen any."""


def store() -> RunStore:
    """The runs folder: ``BASIN_RUNS``, else ``./runs``."""
    return RunStore()


def dataset_path() -> str:
    """The dataset to look at and to train on, as read_dataset takes it."""
    return str(st.session_state.get("dataset") or DEFAULT_DATASET)


def look_at_dataset(path: str) -> None:
    """Choose a dataset, on all pages."""
    st.session_state["dataset"] = path


def look_at_runs(ids: list[str]) -> None:
    """Choose runs, on all pages, from the next run of the script on."""
    st.session_state["wanted_runs"] = ids


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
    """Say in the address what is looked at."""
    wanted = {"dataset": dataset_path(), "runs": ",".join(st.session_state.get("runs") or [])}
    for name, value in wanted.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]


def trained_runs() -> pd.DataFrame:
    """Rows of all runs with a model to look at, newest first; column ``label`` is unique.

    Column ``group`` is equal for runs that differ in nothing but their seed.
    """
    table = store().list()
    table = table[table["state"].isin(["finished", "diverged"])].reset_index(drop=True)
    table["label"] = group_labels(table)
    return with_groups(table)


@dataclass(frozen=True)
class Choice:
    """The runs a page shows: ids oldest first, how they are called and how they are drawn."""

    ids: list[str]
    labels: dict[str, str]
    looks: dict[str, Look]
    """By label, as charts take them."""
    table: pd.DataFrame
    """Their rows of the store's table."""

    @property
    def dataset(self) -> str:
        """The dataset's name; all chosen runs share one."""
        return str(self.table["dataset"].iloc[0]) if len(self.table) else ""

    def first(self) -> Run:
        """The oldest chosen run."""
        return store().get(self.ids[0])

    def looks_in_order(self, names: Sequence[str]) -> dict[str, Look]:
        """Looks for what a result calls the chosen runs, given in their order."""
        found: dict[str, Look] = {}
        for name, run in zip(names, self.ids, strict=False):
            found.setdefault(name, self.looks[self.labels[run]])
        return found

    def labels_of(self, runs: Sequence[str], otherwise: Sequence[str]) -> list[str]:
        """What this page calls a result's runs; the result's own names for runs unknown here."""
        return [self.labels.get(run, own) for run, own in zip(runs, otherwise, strict=True)]


def choose_runs() -> Choice:
    """The sidebar's list of runs, and what is chosen there."""
    table = trained_runs()
    labels = dict(zip(table["id"], table["label"], strict=True))
    wanted = st.session_state.pop("wanted_runs", st.session_state.get("runs"))
    known = [run for run in wanted or [] if run in labels]
    if not known and len(table) and wanted != []:
        known = default_runs(table)
    if len(table):
        st.session_state["runs"] = known
    with st.sidebar:
        if len(table):
            choose_strategies(table, known, look_at_runs)
            st.multiselect(
                "Runs to look at",
                list(labels),
                format_func=labels.__getitem__,
                key="runs",
                placeholder="Choose runs",
                help="All pages show these runs, in the same colours.",
            )
    ids = st.session_state.get("runs", [])
    if ids:
        first = table.set_index("id").loc[ids[0], "fingerprint"]
        same = table[table["id"].isin(ids) & (table["fingerprint"] == first)]
        if len(same) < len(ids):
            st.sidebar.warning(
                f"Only the runs on {same['dataset'].iloc[0]} are shown: runs of different datasets "
                "cannot be compared."
            )
        ids = sorted(same["id"])
        st.sidebar.caption(f"Trained on **{same['dataset'].iloc[0]}**")
    chosen = table[table["id"].isin(ids)].sort_values("id").reset_index(drop=True)
    return Choice(ids, labels, distinct_looks(table, ids), chosen)


def default_runs(table: pd.DataFrame) -> list[str]:
    """The newest run of each of the newest strategies on the newest run's dataset."""
    same = table[table["fingerprint"] == table["fingerprint"].iloc[0]]
    return sorted(same.drop_duplicates("group")["id"].head(MOST_STRATEGIES))


def distinct_looks(table: pd.DataFrame, ids: list[str]) -> dict[str, Look]:
    """A look for each chosen run by label: its place among all, moved on where it is taken.

    Seeds of one strategy look alike, unless only one strategy is chosen.
    """
    oldest_first = table.sort_values("id")
    chosen = oldest_first[oldest_first["id"].isin(ids)]
    by = "group" if chosen["group"].nunique() > 1 else "id"
    places = {name: place for place, name in enumerate(oldest_first[by].unique())}
    found: dict[str, Look] = {}
    for name in chosen[by].unique():
        place = places[name]
        while look(place).colour in {t.colour for t in found.values()} and len(found) < 6:
            place += 1
        found[name] = look(place)
    return {label: found[name] for label, name in zip(chosen["label"], chosen[by], strict=True)}


def known_datasets() -> dict[str, str]:
    """Label by path of every dataset that is found on this machine."""
    with st.spinner("Loading the engine ..."):
        from engine.data.readers import find_datasets  # imports torch: only after the first paint

    found = {path: label for label, path in find_datasets()}
    if "sample:shop" in found:
        found = {DEFAULT_DATASET: found.pop("sample:shop"), **found}
    return found


def open_dataset(path: str) -> Dataset:
    """The dataset at a path, read once per process; raises DataError where it cannot be read."""
    with st.spinner("Reading the dataset ..."):
        from engine.runs.opened import cached_dataset  # imports torch: only after the first paint

        return cached_dataset(path)


def open_dataset_of(choice: Choice) -> Dataset:
    """The dataset the chosen runs were trained on; raises RunError where it has changed."""
    with st.spinner("Reading the dataset ..."):
        from engine.runs.opened import dataset_of  # imports torch: only after the first paint

        return dataset_of(choice.first())
