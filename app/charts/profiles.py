"""How the loss rises around each run's weights: curves on one axis, with their parabolas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from app.charts.style import Look, finish, look_of, translucent
from app.charts.text import chart_name, escape

if TYPE_CHECKING:
    from engine.geometry import LossProfiles

HEIGHT = 430


def profile_curves(result: LossProfiles, looks: Mapping[str, Look] | None = None) -> go.Figure:
    """Each run's rise along its sharpest direction, its parabola, and the band of random ones."""
    figure = go.Figure()
    x = result.distances_X
    parabolas = result.parabolas()
    top = float(result.sharpest_RX.max())
    for r, label in enumerate(result.labels):
        style, name = look_of(label, looks, result.labels), chart_name(label)
        figure.add_scatter(
            x=[*x, *x[::-1]], y=[*result.random_high_RX[r], *result.random_low_RX[r][::-1]],
            fill="toself", fillcolor=translucent(style.colour, 0.25), line={"width": 0},
            hoverinfo="skip", showlegend=False, legendgroup=label,
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=parabolas[r], mode="lines", legendgroup=label, showlegend=False,
            line={"color": style.colour, "dash": "dot", "width": 1}, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=result.sharpest_RX[r], mode="lines", name=name, legendgroup=label,
            line={"color": style.colour, "dash": style.dash, "width": 3},
            hovertemplate=f"{name}: %{{y:+.4f}} nats at distance %{{x:.2f}}<extra></extra>",
        )  # fmt: skip
        doubled = float(result.doubling_R[r])
        if doubled <= x[-1] * 1.0001:
            figure.add_scatter(
                x=[doubled], y=[float(result.losses_R[r])], mode="markers", showlegend=False,
                legendgroup=label,
                marker={"symbol": style.marker, "size": 11, "color": style.colour},
                hovertemplate=f"{name}: loss doubled at distance {doubled:.2f}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="distance: length of the change of scores (calibrated)")
    figure.update_yaxes(title="rise of the training loss (nats)", range=[-0.04 * top, 1.08 * top])
    return finish(figure, height=HEIGHT)


def profile_sentence(result: LossProfiles) -> str:
    """Which run rises fastest and which slowest, in numbers."""
    values = dict(zip(result.labels, result.eigenvalues_R, strict=True))
    sharpest, flattest = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    if sharpest == flattest:
        return f"{escape(sharpest)}: curvature {values[sharpest]:.3g} nats per squared score."
    return (
        f"Around {escape(sharpest)} the loss rises fastest (curvature {values[sharpest]:.3g} nats "
        f"per squared score), around {escape(flattest)} slowest ({values[flattest]:.3g})."
    )
