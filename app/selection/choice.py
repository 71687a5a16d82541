"""The runs that all pages show: which, how they are called, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.style import DASHES, Look, looks
from app.charts.text import escape
from app.selection.run_labels import group_labels, with_groups
from app.selection.strategy_picker import choose_strategies
from app.selection.workspace import run_store
from engine.jobs import list_runs
from engine.runs import Run

if TYPE_CHECKING:
    from engine.data import Dataset

MOST_STRATEGIES = 4
"""Strategies whose runs are chosen before the visitor has chosen any."""

MOST_DRAWN = 6
"""Runs that charts with a picture a run show; of more, the oldest of each strategy."""


def look_at_runs(ids: list[str]) -> None:
    """Choose runs, on all pages, from the next run of the script on."""
    st.session_state["wanted_runs"] = ids
    st.session_state["missing_runs"] = []


def trained_runs() -> pd.DataFrame:
    """Rows of all runs with a model to look at, newest first; column ``label`` is unique.

    Column ``group`` is equal for runs that differ in nothing but their seed.
    """
    table = list_runs(run_store())
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
        """The dataset's name, as markdown shows it; all chosen runs share one."""
        return escape(self.table["dataset"].iloc[0]) if len(self.table) else ""

    def one_a_strategy(self) -> Choice:
        """The oldest run of each strategy where more are chosen than pictures fit on a page."""
        if len(self.ids) <= MOST_DRAWN:
            return self
        table = self.table.drop_duplicates("group").head(MOST_DRAWN).reset_index(drop=True)
        return replace(self, ids=list(table["id"]), table=table)

    def first(self) -> Run:
        """The oldest chosen run."""
        return run_store().get(self.ids[0])

    def looks_in_order(self, names: Sequence[str]) -> dict[str, Look]:
        """Looks for what a result calls the chosen runs, given in their order."""
        ordered: dict[str, Look] = {}
        for name, run in zip(names, self.ids, strict=False):
            ordered.setdefault(name, self.looks[self.labels[run]])
        return ordered

    def labels_of(self, runs: Sequence[str], otherwise: Sequence[str]) -> list[str]:
        """What this page calls a result's runs; the result's own names for runs unknown here."""
        return [self.labels.get(run, own) for run, own in zip(runs, otherwise, strict=True)]


def choose_runs() -> Choice:
    """The sidebar's list of runs, and what is chosen there.

    Runs that were chosen or linked to and are not there any more are named on the page; where no
    other was chosen with them, none is.
    """
    table = trained_runs()
    labels = dict(zip(table["id"], table["label"], strict=True))
    wanted = st.session_state.pop("wanted_runs", st.session_state.get("runs"))
    known = [run for run in wanted or [] if run in labels]
    gone = [run for run in wanted or [] if run not in labels]
    missing = gone or st.session_state.get("missing_runs", [])
    if wanted is None and len(table):
        known, missing = default_runs(table), []
    st.session_state["missing_runs"] = missing
    if len(table):
        st.session_state["runs"] = known
    else:
        st.session_state.pop("runs", None)
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
                on_change=lambda: st.session_state.update(missing_runs=[]),
            )
    _say_what_is_missing(missing)
    ids = st.session_state.get("runs", [])
    if ids:
        first = table.set_index("id").loc[ids[0], "fingerprint"]
        same = table[table["id"].isin(ids) & (table["fingerprint"] == first)]
        dataset = escape(same["dataset"].iloc[0])
        if len(same) < len(ids):
            st.sidebar.warning(
                f"Only the runs on {dataset} are shown: runs of different datasets cannot be "
                "compared."
            )
        ids = sorted(same["id"])
        record = run_store().get(ids[0]).provenance.get("dataset") or {}
        st.sidebar.caption(f"Trained on **{dataset}**. {escape(str(record.get('split', '')))}")
    chosen = table[table["id"].isin(ids)].sort_values("id").reset_index(drop=True)
    return Choice(ids, labels, looks_of_runs(table, ids), chosen)


def _say_what_is_missing(runs: Sequence[str]) -> None:
    """Names the runs of a link, or of the last choice, that are not in the runs folder."""
    if runs:
        names, more = ", ".join(map(escape, runs[:3])), len(runs) - 3
        st.warning(
            f"Not in the runs folder {escape(run_store().root)}, or without a model: {names}"
            f"{f' and {more} more' if more > 0 else ''}. They were deleted, or are in another "
            "folder; the bin on the page Runs may hold them.",
            icon=":material/link_off:",
        )


def default_runs(table: pd.DataFrame) -> list[str]:
    """All seeds of each of the newest strategies on the newest run's dataset."""
    same = table[table["fingerprint"] == table["fingerprint"].iloc[0]]
    return sorted(same.loc[same["group"].isin(same["group"].unique()[:MOST_STRATEGIES]), "id"])


def looks_of_runs(table: pd.DataFrame, ids: list[str]) -> dict[str, Look]:
    """The look of each chosen run by label: that of its strategy.

    Where seeds of a single strategy are chosen, their dashes tell them apart.
    """
    oldest_first = table.sort_values("id")
    by_strategy = looks(list(oldest_first["group"]))
    chosen = oldest_first[oldest_first["id"].isin(ids)]
    styles = [by_strategy[group] for group in chosen["group"]]
    if len(styles) > 1 and chosen["group"].nunique() == 1:
        styles = [s._replace(dash=DASHES[i % len(DASHES)]) for i, s in enumerate(styles)]
    return dict(zip(chosen["label"], styles, strict=True))


def open_dataset_of(choice: Choice) -> Dataset:
    """The dataset the chosen runs were trained on; raises RunError where it has changed."""
    with st.spinner("Reading the dataset ..."):
        from engine.runs.opened import dataset_of  # imports torch: only after the first paint

        return dataset_of(choice.first())
