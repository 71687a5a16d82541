"""The eigenvalues of each run's Hessian."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.curvature import spectrum as charts
from app.charts.style import CONFIG
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Curvature


def curvatures(choice: Choice) -> dict[str, Curvature]:
    """The curvature of each chosen run that was computed, by label; the others are offered."""
    with st.expander("Settings of the curvature", icon=":material/tune:"):
        config = config_form(config_class("curvature"), "curvature", columns=4)
    if config is None:
        return {}
    results = results_or_offer(
        run_store(), "curvature", choice.ids, config, "Compute the curvature"
    )
    return {choice.labels[runs[0]]: cast("Curvature", result) for runs, result in results.items()}


def spectra(results: Mapping[str, Curvature], choice: Choice) -> None:
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
    if any(len(result.invariant_density_G) for result in results.values()):
        with right:
            st.subheader("All eigenvalues, per squared change of score")
            figure = charts.spectral_density(results, choice.looks, invariant=True)
            st.plotly_chart(figure, config=CONFIG, alt="Invariant spectral density of each run")
    with left:
        st.subheader("In numbers")
        st.dataframe(numbers_of_runs(results), hide_index=True, height="content")
    st.caption(f"{choice.dataset}. {charts.spectrum_caption(results)}")
    for name in ("eigenvalues", "summary", "cost"):
        tables = [r.tables()[name].assign(label=label) for label, r in results.items()]
        label = {"summary": "Numbers", "cost": "Products and seconds"}.get(name, "Eigenvalues")
        table_and_csv(pd.concat(tables, ignore_index=True), name, label)


def numbers_of_runs(results: Mapping[str, Curvature]) -> pd.DataFrame:
    """Loss, gradient, trace with its standard error and products: quantities as rows."""
    columns = {}
    for label, result in results.items():
        table = result.summary_frame()
        numbers = table[["value", "error"]].to_numpy()
        columns[label] = {
            name: f"{value:.4g}" if np.isnan(error) else f"{value:.4g} ± {error:.2g}"
            for name, (value, error) in zip(table["quantity"], numbers, strict=True)
        } | {
            "Hessian-vector products": f"{sum(result.products.values()):,}",
            "of them for the eigenvalues": f"{result.products.get('eigenvalues', 0):,}",
            "seconds": f"{result.seconds.get('all', np.nan):.1f}",
        }
    return pd.DataFrame(columns).rename_axis("quantity").reset_index()
