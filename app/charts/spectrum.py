"""Curvature: top eigenvalues, spectral density, and flatness measures against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.style import NEUTRAL, Look, finished, look_of, ratio_ticks

if TYPE_CHECKING:
    from engine.geometry import Curvature

SHORT = {
    "top_eigenvalue": "top eigenvalue",
    "trace": "trace",
    "eigenvalue_ratio": "top over 5th eigenvalue",
    "gauss_newton_top_eigenvalue": "Gauss-Newton top eigenvalue",
    "box_sharpness": "box sharpness (Keskar)",
    "ball_sharpness": "ball sharpness (SAM)",
    "noise_sharpness": "weight-noise sharpness",
    "factor_top_eigenvalue": "top eigenvalue by factors",
    "adaptive_top_eigenvalue": "adaptive top eigenvalue",
    "adaptive_sharpness": "adaptive sharpness (ASAM)",
    "relative_noise_sharpness": "relative-noise sharpness",
    "balanced_top_eigenvalue": "balanced top eigenvalue",
    "input_sharpness_image": "input sharpness, images",
    "input_sharpness_text": "input sharpness, texts",
}
"""Measures as axis labels."""


def top_eigenvalues(
    results: Mapping[str, Curvature], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """The largest Hessian eigenvalues of each run, by label."""
    figure = go.Figure()
    for label, result in results.items():
        style = look_of(label, looks, list(results))
        values = result.top_eigenvalues_K
        figure.add_bar(
            x=[str(rank) for rank in range(1, len(values) + 1)],
            y=values,
            name=label,
            marker={"color": style.colour},
            customdata=result.top_residuals_K,
            hovertemplate="eigenvalue %{x}: %{y:.4g}<br>residual %{customdata:.1e}"
            f"<extra>{label}</extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(title="rank of the eigenvalue", type="category")
    figure.update_yaxes(title="eigenvalue (nats / weight²)")
    return finished(figure, height=380)


def spectral_density(
    results: Mapping[str, Curvature], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """How all eigenvalues are spread, on a logarithmic scale; most of them lie near 0."""
    figure = go.Figure()
    largest = max((r.density_G.max() for r in results.values() if len(r.density_G)), default=1.0)
    for label, result in results.items():
        if not len(result.density_G):
            continue
        style = look_of(label, looks, list(results))
        figure.add_scatter(
            x=result.density_grid_G,
            y=np.maximum(result.density_G, largest * 1e-9),
            name=label,
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate=f"eigenvalue %{{x:.3g}}<br>density %{{y:.2e}}<extra>{label}</extra>",
        )
    figure.update_xaxes(title="eigenvalue (nats / weight²)")
    figure.update_yaxes(
        title="share of eigenvalues per unit",
        type="log",
        range=[np.log10(largest) - 6, np.log10(largest) + 0.3],
        exponentformat="power",
    )
    return finished(figure, height=380)


def measures_against(
    table: pd.DataFrame, baseline: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """Each flatness measure of each run as a multiple of the baseline's, on a log scale.

    ``table`` has the columns label, measure and value.
    """
    labels = list(dict.fromkeys(table["label"]))
    ratios = _ratios(table, baseline)
    figure = go.Figure()
    for label in labels:
        style = look_of(label, looks, labels)
        mine = ratios[ratios["label"] == label]
        figure.add_scatter(
            x=mine["ratio"], y=mine["measure"].map(lambda m: SHORT.get(m, m)), name=label,
            mode="markers",
            marker={"color": style.colour, "symbol": style.marker, "size": 11},
            customdata=mine["value"],
            hovertemplate="%{y}: %{customdata:.4g}<br>%{x:.2f} times "
            f"{baseline}<extra>{label}</extra>",
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": NEUTRAL, "dash": "dot"})
    low, high = ratios["ratio"].min(), ratios["ratio"].max()
    low, high = min(low, 1.0) / 1.08, max(high, 1.0) * 1.08
    ticks, texts = ratio_ticks(low, high)
    figure.update_xaxes(
        title=f"times {baseline}", type="log", tickvals=ticks, ticktext=texts, tickangle=0,
        range=[np.log10(low), np.log10(high)],
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return finished(figure, height=120 + 40 * table["measure"].nunique())


def flatness_table(table: pd.DataFrame) -> pd.DataFrame:
    """Measures as rows, runs as columns; those that may be compared first."""
    wide = table.pivot_table(
        index=["measure", "is_invariant", "description"], columns="label", values="value",
        sort=False,
    ).reset_index()  # fmt: skip
    wide["measure"] = wide["measure"].map(lambda m: SHORT.get(m, m))
    wide = wide.sort_values("is_invariant", ascending=False, kind="stable")
    wide = wide[[c for c in wide.columns if c != "description"] + ["description"]]
    return wide.rename(columns={"is_invariant": "may be compared"}).rename_axis(columns=None)


def spectrum_caption(results: Mapping[str, Curvature], labels: Sequence[str]) -> str:
    """On what, how exactly, and what it does not prove."""
    first = results[labels[0]]
    products = sum(first.products.values())
    unsure = [label for label in labels if not results[label].has_converged]
    text = (
        f"Hessian of the loss on {first.n_triples:,} frozen training triples, "
        f"{first.n_parameters:,} parameters, one seed a run, no interval; {products} "
        "Hessian-vector products a run. "
    )
    if unsure:
        text += f"Not fully converged: {', '.join(unsure)}. "
    return text + (
        "Scaling user factors up and item factors down changes raw eigenvalues at will and no "
        "score: compare runs by the measures below that it cannot move. Flatness alone proves no "
        "robustness."
    )


def _ratios(part: pd.DataFrame, baseline: str) -> pd.DataFrame:
    base = part[part["label"] == baseline].set_index("measure")["value"]
    ratios = part.assign(ratio=part["value"] / part["measure"].map(base))
    return ratios[np.isfinite(ratios["ratio"]) & (ratios["ratio"] > 0)]
