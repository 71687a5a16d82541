"""Curvature: eigenvalues, spectral density, and flatness measures against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
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


def extreme_eigenvalues(
    results: Mapping[str, Curvature], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """The largest and smallest Hessian eigenvalues of each run, by label.

    Hatched where the estimated error is above the tolerance.
    """
    figure = go.Figure()
    for label, result in results.items():
        style = look_of(label, looks, list(results))
        table = result.eigenvalue_frame()
        is_bottom = table["end"] == "bottom"
        unsure = table["estimated_error"] > table["tolerance"]
        figure.add_bar(
            x=[str(rank) for rank in table["rank"].where(~is_bottom, -table["rank"])],
            y=table["eigenvalue"],
            name=label,
            marker={
                "color": style.colour,
                "pattern": {"shape": ["/" if x else "" for x in unsure], "fillmode": "replace"},
            },
            customdata=table[["residual", "estimated_error", "tolerance"]],
            hovertemplate="eigenvalue %{x}: %{y:.4g}<br>residual %{customdata[0]:.1e}<br>"
            "estimated error %{customdata[1]:.1e} of %{customdata[2]:.1e} allowed"
            f"<extra>{label}</extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(title="rank of the eigenvalue (-1: the smallest)", type="category")
    figure.update_yaxes(title="eigenvalue (nats / weight²)")
    return finished(figure, height=380)


def block_eigenvalues(
    results: Mapping[str, Curvature], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """The largest eigenvalue of the whole Hessian and of each block's own, log scale."""
    figure = go.Figure()
    for label, result in results.items():
        style = look_of(label, looks, list(results))
        values = {"all weights": float(result.top_eigenvalues_K[0])} | result.blocks
        figure.add_scatter(
            x=[v if v > 0 else None for v in values.values()],
            y=list(values),
            name=label,
            mode="markers",
            marker={"color": style.colour, "symbol": style.marker, "size": 11},
            hovertemplate=f"%{{y}}: %{{x:.4g}}<extra>{label}</extra>",
        )
    known = [v for r in results.values() for v in (r.top_eigenvalues_K[0], *r.blocks.values())]
    known = [float(v) for v in known if v > 0] or [1.0]
    ticks, texts = ratio_ticks(min(known) / 1.2, max(known) * 1.2)
    figure.update_xaxes(
        title="largest eigenvalue (nats / weight²)", type="log", tickvals=ticks, ticktext=texts
    )
    figure.update_yaxes(autorange="reversed")
    return finished(figure, height=300)


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
    """Each flatness measure's mean as a multiple of the baseline's, with its interval, log scale.

    ``table`` is that of ``engine.geometry.flatness_table``.
    """
    names = list(dict.fromkeys(table["strategy"]))
    ratios = _ratios(table, baseline)
    low = min([*ratios["ratio"], *ratios["low"][ratios["low"] > 0], 1.0]) / 1.08
    high = max([*ratios["ratio"], *ratios["high"].dropna(), 1.0]) * 1.08
    figure = go.Figure()
    measures = list(dict.fromkeys(table["measure"]))
    for place, name in enumerate(names):
        style = look_of(name, looks, names)
        mine = ratios[ratios["strategy"] == name]
        # Side by side, so that no bar hides another.
        beside = 0.7 * ((place + 0.5) / len(names) - 0.5)
        figure.add_scatter(
            x=mine["ratio"], y=mine["measure"].map(measures.index) + beside, name=name,
            mode="markers", text=mine["measure"].map(lambda m: SHORT.get(m, m)),
            marker={"color": style.colour, "symbol": style.marker, "size": 11},
            # A bar that reaches 0 or below leaves the logarithmic axis on the left.
            error_x={"type": "data", "symmetric": False, "thickness": 1.5,
                     "visible": bool(mine["low"].notna().any()),
                     "array": mine["high"] - mine["ratio"],
                     "arrayminus": mine["ratio"] - mine["low"].clip(lower=low / 2)},
            customdata=mine[["mean", "n"]],
            hovertemplate="%{text}: %{customdata[0]:.4g}, mean of %{customdata[1]}<br>"
            f"%{{x:.2f}} times {baseline}<extra>{name}</extra>",
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": NEUTRAL, "dash": "dot"})
    ticks, texts = ratio_ticks(low, high)
    figure.update_xaxes(
        title=f"times {baseline}", type="log", tickvals=ticks, ticktext=texts, tickangle=0,
        range=[np.log10(low), np.log10(high)],
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(measures))),
        ticktext=[SHORT.get(m, m) for m in measures],
        autorange="reversed",
    )
    return finished(figure, height=120 + len(measures) * max(40, 12 * len(names)))


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
        index=["measure", "is_invariant", "description"], columns="strategy", values="cell",
        sort=False, aggfunc="first",
    ).reset_index()  # fmt: skip
    wide["measure"] = wide["measure"].map(lambda m: SHORT.get(m, m))
    wide = wide.sort_values("is_invariant", ascending=False, kind="stable")
    wide = wide[[c for c in wide.columns if c != "description"] + ["description"]]
    return wide.rename(columns={"is_invariant": "may be compared"}).rename_axis(columns=None)


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


def spectrum_caption(results: Mapping[str, Curvature]) -> str:
    """On what, how exactly, and what it does not prove."""
    first = next(iter(results.values()))
    text = (
        f"Hessian of the {first.ground}{', the same for all runs' if len(results) > 1 else ''}; "
        f"{first.n_parameters:,} parameters, one seed a run, no interval. The error of the trace "
        "is its standard error. "
    )
    unsure = {label: r for label, r in results.items() if not r.has_converged}
    for label, result in unsure.items():
        named = ", ".join(result.unconverged) or "eigenvalues"
        text += f"{label}: not within tolerance when the products ran out: {named}. "
    if unsure:
        text += "Hatched bars are such eigenvalues. "
    bent = [label for label, r in results.items() if (r.bottom_eigenvalues_K < 0).any()]
    if bent:
        whose = "all runs" if len(bent) == len(results) else ", ".join(bent)
        text += (
            f"The smallest eigenvalue is negative for {whose}: along it the loss bends down, so "
            "these weights are no minimum of it. "
        )
    return text + (
        "Scaling user factors up and item factors down changes raw eigenvalues at will and no "
        "score: compare runs by the measures below that it cannot move. Flatness alone proves no "
        "robustness."
    )


def _ratios(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Means and limits over the baseline's mean, where both means are positive."""
    base = table[table["strategy"] == baseline].set_index("measure")["mean"]
    of = table["measure"].map(base)
    ratios = table.assign(ratio=table["mean"] / of, low=table["low"] / of, high=table["high"] / of)
    is_drawn = np.isfinite(ratios["ratio"]) & (ratios["ratio"] > 0) & (of > 0)
    return ratios[is_drawn]
