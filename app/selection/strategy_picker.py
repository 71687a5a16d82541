"""Choosing all seeds of a strategy at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pandas as pd
import streamlit as st

KEY = "strategies"


def choose_strategies(
    table: pd.DataFrame, chosen: list[str], choose: Callable[[list[str]], None]
) -> None:
    """A list of the strategies with several seeds, on the dataset of the chosen runs.

    Those are ticked of which every run is chosen; ``choose`` is told the runs that a change gives.
    """
    seeds = several_seeds(table, chosen)
    if not seeds:
        return
    st.session_state[KEY] = [name for name, ids in seeds.items() if set(ids) <= set(chosen)]
    st.multiselect(
        "All seeds of",
        list(seeds),
        format_func=lambda name: f"{name} ({len(seeds[name])} seeds)",
        key=KEY,
        placeholder="Choose strategies",
        help="Runs that differ in nothing but their seed; several give intervals.",
        on_change=lambda: choose(with_strategies(chosen, seeds, st.session_state[KEY])),
    )


def several_seeds(table: pd.DataFrame, chosen: list[str]) -> dict[str, list[str]]:
    """Runs of each group of at least two, on the dataset of the first chosen run or the newest."""
    if table.empty:
        return {}
    of_chosen = table.loc[table["id"].isin(chosen[:1]), "fingerprint"]
    fingerprint = of_chosen.iloc[0] if len(of_chosen) else table["fingerprint"].iloc[0]
    same = table[table["fingerprint"] == fingerprint].sort_values("id")
    groups = {str(name): list(rows["id"]) for name, rows in same.groupby("group", sort=False)}
    return {name: ids for name, ids in groups.items() if len(ids) > 1}


def with_strategies(
    chosen: Iterable[str], seeds: Mapping[str, list[str]], wanted: Iterable[str]
) -> list[str]:
    """The chosen runs once exactly the wanted strategies have all their seeds among them."""
    runs = set(chosen)
    for name, ids in seeds.items():
        if name not in wanted and set(ids) <= runs:
            runs -= set(ids)
    for name in wanted:
        runs |= set(seeds[name])
    return sorted(runs)
