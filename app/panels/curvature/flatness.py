"""Measures of flatness by strategy: those that may be compared, and those that rewriting moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.curvature import flatness as charts
from app.charts.style import CONFIG, Look
from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.answers import leader_sentence
from app.widgets.downloads import csv_button, table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Curvature


SENTENCE_MEASURE = "invariant_sharpness"


def comparable_flatness(results: Mapping[str, Curvature], choice: Choice) -> None:
    """The answer in a sentence, and the measures that may be compared as multiples of one's."""
    from engine.geometry import flatness_table

    names, looks = strategies(choice)
    table = flatness_table(list(results.values()), names)
    comparable = table[table["is_invariant"]]
    if comparable.empty:
        st.info("These settings leave out the measures that may be compared.")
        return
    sentence = flattest_sentence(results, names)
    st.markdown(sentence)
    groups = list(dict.fromkeys(table["strategy"]))
    usual = next((i for i, name in enumerate(groups) if name.startswith("plain")), 0)
    baseline = st.selectbox(
        "Compared with", groups, index=usual, key="flat.baseline", width=280, bind="query-params"
    )
    figure = charts.measures_against(comparable, baseline, looks)
    st.plotly_chart(figure, config=CONFIG, key="flatness", alt=sentence.replace("**", ""))
    st.caption(_flatness_caption(table, choice, baseline))


def every_measure(results: Mapping[str, Curvature], choice: Choice) -> None:
    """All measures, also those that rewriting the factors moves, as pictures and as a table."""
    from engine.geometry import flatness_table

    names, looks = strategies(choice)
    table = flatness_table(list(results.values()), names)
    baseline = st.session_state.get("flat.baseline") or table["strategy"].iloc[0]
    moved = table[~table["is_invariant"]]
    if len(moved):
        figure = charts.measures_against(moved, baseline, looks)
        st.markdown("**Measures that rewriting the factors moves**: not to be compared")
        st.plotly_chart(figure, config=CONFIG, key="moved", alt=f"As multiples of {baseline}'s")
    st.dataframe(flatness_by_strategy(table), hide_index=True, height="content")
    csv_button(table, "flatness")
    if table["n"].max() > 1:
        each = [r.to_frame().assign(label=label) for label, r in results.items()]
        table_and_csv(
            pd.concat(each, ignore_index=True), "flatness-measures", "Measures of each run"
        )


def flattest_sentence(results: Mapping[str, Curvature], names: Mapping[str, str]) -> str:
    """Which strategy is flattest by a measure that no rewriting of the factors moves."""
    rows = [
        {"group": names[r.run], "value": r.measures[SENTENCE_MEASURE]}
        for r in results.values()
        if r.run in names and SENTENCE_MEASURE in r.measures
    ]
    return leader_sentence(
        pd.DataFrame(rows, columns=["group", "value"]),
        "By invariant sharpness, which no rewriting of the factors moves, **{best}** is the "
        "flattest ({best_value} nats) and **{worst}** the sharpest ({worst_value}).",
        "The invariant sharpness of **{best}** is {best_value} nats.",
        "{:.3g}",
        largest=False,
    )


def _flatness_caption(table: pd.DataFrame, choice: Choice, baseline: str) -> str:
    low = " Values of 0 or less have no place here; the table has them."
    return (
        f"{choice.dataset}, frozen training triples. Each measure as a multiple of "
        f"{escape(baseline)}'s, logarithmic; left of the dotted line is flatter. "
        f"{_interval_note(table)}{low if bool((table['mean'] <= 0).any()) else ''} Worst "
        "losses are reached by a few gradient steps, so they are lower bounds. Training stops "
        "early: these weights are no exact minima. Flatter does not prove more robust."
    )


def strategies(choice: Choice) -> tuple[dict[str, str], dict[str, Look]]:
    """By run id what its strategy is called, and by that how it is drawn.

    Runs that differ in nothing but the seed are one strategy, drawn as its oldest run is.
    """
    groups = choice.table.set_index("id")["group"]
    sizes = groups.value_counts()
    names = {r: groups[r] if sizes[groups[r]] > 1 else choice.labels[r] for r in choice.ids}
    looks: dict[str, Look] = {}
    for run, name in names.items():
        looks.setdefault(name, choice.looks[choice.labels[run]])
    return names, looks


def _interval_note(table: pd.DataFrame) -> str:
    counts = table.groupby("strategy", sort=False)["n"].max()
    if counts.max() < 2:
        return "One seed a run, no interval."
    seeds = ", ".join(f"{escape(name)} {n}" for name, n in counts.items())
    return (
        f"Means over seeds ({seeds}), bars and brackets their 95 % intervals (Student's t), none "
        "for one seed; the baseline's own uncertainty is its own bar."
    )


def flatness_by_strategy(table: pd.DataFrame) -> pd.DataFrame:
    """Measures as rows, strategies as columns (mean and interval); those that compare first."""
    counts = table.groupby("strategy")["n"].max()
    numbers = table[["mean", "low", "high"]].to_numpy()
    cells = table.assign(
        cell=[
            f"{mean:.3g}" if np.isnan(low) else f"{mean:.3g} [{low:.3g}, {high:.3g}]"
            for mean, low, high in numbers
        ],
        strategy=[f"{s} ({counts[s]} seeds)" if counts[s] > 1 else s for s in table["strategy"]],
    )
    wide = cells.pivot_table(
        index=["title", "is_invariant", "moved_by", "description"],
        columns="strategy", values="cell", sort=False, aggfunc="first",
    ).reset_index()  # fmt: skip
    wide = wide.sort_values("is_invariant", ascending=False, kind="stable")
    last = ["moved_by", "description"]
    wide = wide[[c for c in wide.columns if c not in last] + last]
    names = {"title": "measure", "is_invariant": "may be compared", "moved_by": "moved by"}
    return wide.rename(columns=names).rename_axis(columns=None)
