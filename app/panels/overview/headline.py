"""The demonstration in one table: clean accuracy, what is left under attack, and sharpness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.curves import before_and_after
from app.charts.style import CONFIG, looks
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.answers import ONE_SEED
from engine.foundation.errors import BasinError
from engine.studies.analysis_results import find_result

if TYPE_CHECKING:
    from engine.geometry import Curvature
    from engine.robustness import RobustnessCurves

METRIC = "recall@20"
STRENGTH = 0.1
"""Strength at which the table quotes attack and noise."""

SHARPNESS = "Top eigenvalue, invariant"
RELIANCE = "Reliance"
MEASURED = ("Clean", "Under noise", "Under attack", "Features removed", RELIANCE, SHARPNESS)


def headline(choice: Choice) -> None:
    """What the chosen runs show, in a sentence and a table."""
    if choice.table.empty:
        st.info("No trained run is chosen on the left.")
        return
    with st.spinner("Loading the engine ..."):
        table = headline_table(choice)
    rows = by_strategy(table)
    sentence = in_words(rows)
    st.markdown(sentence)
    if {"Clean", "Under attack"} <= set(rows):
        dots = pd.DataFrame(
            {"label": rows["Run"], "clean": rows["Clean"], "perturbed": rows["Under attack"]}
        )
        figure = before_and_after(dots, METRIC, looks(list(rows["Run"])))
        alt = sentence.replace("**", "")
        st.plotly_chart(figure, config=CONFIG, key="headline", alt=alt)
    column = st.column_config.NumberColumn
    formats: dict[str, Any] = {
        name: column(format="%.3g" if SHARPNESS.lower() in name.lower() else "%.4f")
        for name in rows.columns.drop(["Run", "Seeds"], errors="ignore")
    }
    if SHARPNESS in rows:
        formats[SHARPNESS]["help"] = "May be compared: no rewriting of the factors moves it"
    st.dataframe(rows, hide_index=True, width="stretch", column_config=formats)
    seeds = (
        "Means over seeds; ± is half the 95 % interval (Student's t), and runs of one seed have "
        "none."
        if "Seeds" in rows
        else "One seed a run, so no interval: small differences may be chance."
    )
    strength = (
        f"Attack and noise have strength {STRENGTH:g} of each feature row's length, on pictures "
        "and texts; features removed: all set to zero; reliance: clean minus features removed."
        if "Under attack" in rows or "Under noise" in rows
        else ""
    )
    st.caption(
        f"{choice.dataset}, test {METRIC}, all items ranked, at the epoch validation chose. "
        f"{seeds} {strength}"
    )


def headline_table(choice: Choice) -> pd.DataFrame:
    """One row a run; columns that were not computed are left out."""
    clean = choice.table.get(f"test.{METRIC}", pd.Series(np.nan, choice.table.index))
    table = pd.DataFrame({"Run": choice.table["label"], "Strategy": choice.table["group"]})
    table["Clean"] = clean.astype(float)
    try:
        curves = find_result(run_store(), "robustness", choice.ids, {})
        if curves is not None:
            measured = cast("RobustnessCurves", curves)
            table["Under noise"] = _at_strength(measured, choice, "gaussian")
            table["Under attack"] = _at_strength(measured, choice, "fgsm")
            table["Features removed"] = _at_strength(measured, choice, "fgsm", "removed")
            table[RELIANCE] = table["Clean"] - table["Features removed"]
        bent = [find_result(run_store(), "curvature", [run], {}) for run in choice.ids]
        if all(result is not None for result in bent):
            sharp = [cast("Curvature", r).measures.get("invariant_top_eigenvalue") for r in bent]
            table[SHARPNESS] = pd.Series(sharp, table.index, dtype=float)
    except BasinError as error:
        st.warning(escape(error))
    return table.dropna(axis=1, how="all")


def by_strategy(table: pd.DataFrame) -> pd.DataFrame:
    """One row a strategy where one has several seeds: means, and half of each 95 % interval.

    One row a run, without intervals, where none has.
    """
    from engine.evaluation import metric_intervals

    measured = [name for name in MEASURED if name in table]
    if table["Strategy"].is_unique:
        return table[["Run", *measured]]
    intervals = metric_intervals(table.rename(columns={"Strategy": "group"}), measured)
    counts = table["Strategy"].value_counts(sort=False)
    rows = pd.DataFrame({"Run": counts.index, "Seeds": counts.to_numpy()})
    for name in measured:
        of_name = intervals[intervals["metric"] == name].reset_index(drop=True)
        rows[name] = of_name["mean"]
        rows[f"± {name.lower()}"] = of_name["high"] - of_name["mean"]
    return rows


def _at_strength(
    curves: RobustnessCurves, choice: Choice, kind: str, column: str = "value"
) -> np.ndarray:
    """The metric of each chosen run under one kind, mean over draws, NaN where not measured.

    ``column`` "removed" is the metric with the features that the kind hits set to zero.
    """
    values = np.full(len(choice.ids), np.nan)
    place = [i for i, s in enumerate(curves.series)
             if s["perturbation"] == kind and not s["control_of"]]  # fmt: skip
    if METRIC not in curves.metrics or len(place) < len(choice.ids):
        return values
    rows = curves.per_run(METRIC)
    rows = rows[(rows["perturbation"] == kind) & (rows["control_of"] == "")]
    at = rows[np.isclose(rows["strength"], STRENGTH)]
    if len(at) >= len(choice.ids):
        values[:] = at[column].to_numpy()[: len(choice.ids)]
    return values


def in_words(table: pd.DataFrame) -> str:
    """The main finding of a table by strategy as a sentence."""
    if "Under attack" not in table or len(table) < 2:
        return "Accuracy on the test split:"
    left = (table["Under attack"] / table["Clean"]).to_numpy()
    best, worst = int(np.nanargmax(left)), int(np.nanargmin(left))
    shares = [
        f"**{escape(table['Run'].iloc[row])}** keeps **{left[row]:.0%}** of its accuracy"
        + (f" (reliance on features {table[RELIANCE].iloc[row]:.3f})" if RELIANCE in table else "")
        for row in (best, worst)
    ]
    return (
        f"Under a small one-step attack on the features, {shares[0]} and {shares[1]}."
        f"{_doubt(table, best, worst)} A model that relies less on its features has less to lose: "
        "Compare shows both beside the worst of a standard set of attacks."
    )


def _doubt(table: pd.DataFrame, best: int, worst: int) -> str:
    """What keeps the difference of two rows from being sure; '' where nothing does."""
    margins = table.get("± under attack", pd.Series(np.nan, table.index)).to_numpy(dtype=float)
    gap = abs(table["Under attack"].iloc[best] - table["Under attack"].iloc[worst])
    if np.isnan(margins[[best, worst]]).any():
        return ONE_SEED
    near = gap <= margins[best] + margins[worst]
    return " Their 95 % intervals overlap: the difference may be chance." if near else ""
