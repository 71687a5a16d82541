"""The eigenvalues of each run's Hessian, and the measures of flatness made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts import spectrum as charts
from app.charts.style import CONFIG, Look
from app.selection import state
from app.widgets.downloads import csv_button, table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Curvature


def spectra(results: Mapping[str, Curvature], choice: state.Choice) -> None:
    """Extreme eigenvalues, spectral densities, blocks and numbers of the whole, by label."""
    left, right = st.columns(2)
    with left:
        st.subheader("Largest and smallest eigenvalues")
        figure = charts.extreme_eigenvalues(results, choice.looks)
        st.plotly_chart(figure, config=CONFIG, alt="Extreme Hessian eigenvalues of each run")
    if any(len(result.density_G) for result in results.values()):
        with right:
            st.subheader("All eigenvalues")
            figure = charts.spectral_density(results, choice.looks)
            st.plotly_chart(figure, config=CONFIG, alt="Spectral density of each run's Hessian")
    left, right = st.columns(2)
    if any(result.blocks for result in results.values()):
        with left:
            st.subheader("Block by block")
            figure = charts.block_eigenvalues(results, choice.looks)
            st.plotly_chart(figure, config=CONFIG, alt="Largest eigenvalue of each block")
    with right:
        st.subheader("In numbers")
        st.dataframe(charts.numbers_of_runs(results), hide_index=True, height="content")
    st.caption(f"{choice.dataset}. {charts.spectrum_caption(results)}")
    for name in ("eigenvalues", "summary", "cost"):
        tables = [r.tables()[name].assign(label=label) for label, r in results.items()]
        label = {"summary": "Numbers", "cost": "Products and seconds"}.get(name, "Eigenvalues")
        table_and_csv(pd.concat(tables, ignore_index=True), name, label)


def flatness(results: Mapping[str, Curvature], choice: state.Choice) -> None:
    """Every measure as a multiple of one strategy's: those that may be compared, and the others."""
    from engine.geometry import flatness_table

    names, looks = strategies(choice)
    table = flatness_table(list(results.values()), names)
    st.subheader("Flatness, with and without the loophole")
    baseline = st.selectbox(
        "Compared with", list(dict.fromkeys(table["strategy"])), key="flat.baseline", width=280
    )
    kinds = {
        "Measures that may be compared": table[table["is_invariant"]],
        "Measures that rescaling moves at will": table[~table["is_invariant"]],
    }
    for column, (title, part) in zip(st.columns(2, gap="large"), kinds.items(), strict=True):
        if len(part):
            with column:
                st.markdown(f"**{title}**")
                figure = charts.measures_against(part, baseline, looks)
                st.plotly_chart(figure, config=CONFIG, alt=f"{title}, as multiples of {baseline}'s")
    low = " Values of 0 or less have no place here; the table has them."
    st.caption(
        f"{choice.dataset}, frozen training triples. Each measure as a multiple of {baseline}'s, "
        "logarithmic; left of the dotted line is flatter. Multiplying user factors and dividing "
        "item factors by one number changes no score, yet moves those on the right. "
        f"{_interval_note(table)}{low if bool((table['mean'] <= 0).any()) else ''} Worst "
        "losses are found by a few gradient steps, so they are lower bounds. Flatter by these "
        "measures does not prove more robust."
    )
    st.dataframe(charts.flatness_by_strategy(table), hide_index=True, height="content")
    csv_button(table, "flatness")
    if table["n"].max() > 1:
        each = [r.to_frame().assign(label=label) for label, r in results.items()]
        table_and_csv(
            pd.concat(each, ignore_index=True), "flatness-measures", "Measures of each run"
        )


def strategies(choice: state.Choice) -> tuple[dict[str, str], dict[str, Look]]:
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
    seeds = ", ".join(f"{name} {n}" for name, n in counts.items())
    return (
        f"Means over seeds ({seeds}), bars and brackets their 95 % intervals (Student's t), none "
        "for one seed; the baseline's own uncertainty is its own bar."
    )
