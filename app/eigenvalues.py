"""The eigenvalues of each run's Hessian, and the measures of flatness made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import state
from app.charts import spectrum as charts
from app.charts.style import CONFIG
from app.tables import csv_button, table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Curvature


def spectra(results: Mapping[str, Curvature], choice: state.Choice) -> None:
    """Largest eigenvalues and spectral densities, by label."""
    left, right = st.columns(2)
    with left:
        st.subheader("Largest eigenvalues")
        figure = charts.top_eigenvalues(results, choice.looks)
        st.plotly_chart(figure, config=CONFIG, alt="Largest Hessian eigenvalues of each run")
    if any(len(result.density_G) for result in results.values()):
        with right:
            st.subheader("All eigenvalues")
            figure = charts.spectral_density(results, choice.looks)
            st.plotly_chart(figure, config=CONFIG, alt="Spectral density of each run's Hessian")
    st.caption(f"{choice.dataset}. {charts.spectrum_caption(results, list(results))}")
    eigenvalues = [r.eigenvalue_frame().assign(label=name) for name, r in results.items()]
    table_and_csv(pd.concat(eigenvalues, ignore_index=True), "eigenvalues")


def flatness(results: Mapping[str, Curvature], choice: state.Choice) -> None:
    """Every measure as a multiple of one run's: those that may be compared, and the others."""
    measures = pd.concat(
        [r.to_frame().assign(label=name) for name, r in results.items()], ignore_index=True
    )
    if len(measures):
        st.subheader("Flatness, with and without the loophole")
        baseline = st.selectbox("Compared with", list(results), key="flat.baseline", width=280)
        kinds = {
            "Measures that may be compared": measures[measures["is_invariant"]],
            "Measures that rescaling moves at will": measures[~measures["is_invariant"]],
        }
        for column, (title, part) in zip(st.columns(2, gap="large"), kinds.items(), strict=True):
            with column:
                st.markdown(f"**{title}**")
                figure = charts.measures_against(part, baseline, choice.looks)
                st.plotly_chart(figure, config=CONFIG, alt=f"{title}, as multiples of {baseline}'s")
        low = bool((measures["value"] <= 0).any())
        st.caption(
            f"Each measure as a multiple of {baseline}'s, logarithmic; left of the dotted line is "
            "flatter. Multiplying user factors and dividing item factors by one number changes no "
            "score, yet moves those on the right. One seed a run, no interval."
            + (" Values of 0 or less have no place here; the table has them." if low else "")
        )
        wide = charts.flatness_table(measures)
        numbers = {name: st.column_config.NumberColumn(format="%.3g") for name in results}
        st.dataframe(wide, hide_index=True, height="content", column_config=numbers)
        csv_button(wide, "flatness")
