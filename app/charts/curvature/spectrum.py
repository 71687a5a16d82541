"""Eigenvalues of the Hessian: both ends, blocks, and the spectral density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from app.charts.style import Look, finish, look_of, ratio_ticks
from app.charts.text import chart_name

if TYPE_CHECKING:
    from engine.geometry import Curvature


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
            name=chart_name(label),
            marker={
                "color": style.colour,
                "pattern": {"shape": ["/" if x else "" for x in unsure], "fillmode": "replace"},
            },
            customdata=table[["residual", "estimated_error", "tolerance"]],
            hovertemplate="eigenvalue %{x}: %{y:.4g}<br>residual %{customdata[0]:.1e}<br>"
            "estimated error %{customdata[1]:.1e} of %{customdata[2]:.1e} allowed"
            f"<extra>{chart_name(label)}</extra>",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(title="rank of the eigenvalue (-1: the smallest)", type="category")
    figure.update_yaxes(title="eigenvalue (nats / weight²)")
    return finish(figure, height=380)


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
            name=chart_name(label),
            mode="markers",
            marker={"color": style.colour, "symbol": style.marker, "size": 11},
            hovertemplate=f"%{{y}}: %{{x:.4g}}<extra>{chart_name(label)}</extra>",
        )
    known = [v for r in results.values() for v in (r.top_eigenvalues_K[0], *r.blocks.values())]
    known = [float(v) for v in known if v > 0] or [1.0]
    ticks, texts = ratio_ticks(min(known) / 1.2, max(known) * 1.2)
    figure.update_xaxes(
        title="largest eigenvalue (nats / weight²)", type="log", tickvals=ticks, ticktext=texts
    )
    figure.update_yaxes(autorange="reversed")
    return finish(figure, height=300)


def spectral_density(
    results: Mapping[str, Curvature],
    looks: Mapping[str, Look] | None = None,
    invariant: bool = False,
) -> go.Figure:
    """How all eigenvalues are spread, on a logarithmic scale; most of them lie near 0.

    By weights, or (``invariant``) by factors per squared change of score.
    """
    figure = go.Figure()
    densities = {
        label: (r.invariant_density_grid_G, r.invariant_density_G)
        if invariant
        else (r.density_grid_G, r.density_G)
        for label, r in results.items()
    }
    largest = max((d.max() for _, d in densities.values() if len(d)), default=1.0)
    for label, (grid_G, density_G) in densities.items():
        if not len(density_G):
            continue
        style = look_of(label, looks, list(results))
        figure.add_scatter(
            x=grid_G,
            y=np.maximum(density_G, largest * 1e-9),
            name=chart_name(label),
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate=f"eigenvalue %{{x:.3g}}<br>density %{{y:.2e}}"
            f"<extra>{chart_name(label)}</extra>",
        )
    figure.update_xaxes(title=f"eigenvalue (nats / {'score' if invariant else 'weight'}²)")
    figure.update_yaxes(
        title="share of eigenvalues per unit",
        type="log",
        range=[np.log10(largest) - 6, np.log10(largest) + 0.3],
        exponentformat="power",
    )
    return finish(figure, height=380)


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
        text += f"{chart_name(label)}: not within tolerance when the products ran out: {named}. "
    if unsure:
        text += "Hatched bars are such eigenvalues. "
    bent = [label for label, r in results.items() if (r.bottom_eigenvalues_K < 0).any()]
    if bent:
        whose = "all runs" if len(bent) == len(results) else ", ".join(map(chart_name, bent))
        text += (
            f"The smallest eigenvalue is negative for {whose}: along it the loss bends down. "
            "Early-stopped weights are no minimum: the gradient norm is not 0 either. "
        )
    return text + (
        "Writing the factors down differently changes raw eigenvalues at will and no list: compare "
        "runs by the measures below that may be compared. Flatness alone proves no robustness."
    )
