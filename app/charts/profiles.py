"""How fast the loss rises around each run: profiles overlaid, above each run's own minimum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import Look, finish, look_of, translucent
from app.charts.text import chart_name

if TYPE_CHECKING:
    from engine.geometry import Profile


def rise_profiles(
    profiles: Mapping[str, Profile],
    looks: Mapping[str, Look] | None = None,
    with_parabola: bool = False,
) -> go.Figure:
    """Left: each run's own sharpest direction; right: the mean of its random ones, with a band.

    Rises are above each line's minimum, distances from it. The band holds 95 % of the random
    directions. ``with_parabola`` draws what the eigenvalue alone predicts as a dotted line.
    """
    figure = make_subplots(
        cols=2, column_widths=[0.64, 0.36], horizontal_spacing=0.09,
        subplot_titles=["own sharpest direction", "mean of random directions"],
    )  # fmt: skip
    drawn = {label: profile for label, profile in profiles.items() if len(profile.distances_X)}
    for label, profile in drawn.items():
        style, name = look_of(label, looks, list(profiles)), chart_name(label)
        line = {"color": style.colour, "dash": style.dash, "width": 2.5}
        lowest = profile.distances_X[int(profile.sharpest_X.argmin())]
        figure.add_scatter(
            x=profile.distances_X - lowest, y=profile.sharpest_X - profile.minimum, mode="lines",
            name=name, legendgroup=label, line=line, row=1, col=1,
            hovertemplate="distance %{x:.3g}<br>rise %{y:.4f}<extra>" + name + "</extra>",
        )  # fmt: skip
        if with_parabola:
            figure.add_scatter(
                x=profile.distances_X - lowest, y=profile.parabola_X - profile.minimum,
                mode="lines", line=line | {"dash": "dot", "width": 1}, legendgroup=label,
                showlegend=False, hoverinfo="skip", row=1, col=1,
            )  # fmt: skip
        _random_directions(figure, profile, line, name)
    highest = max((float(np.ptp(p.sharpest_X)) for p in drawn.values()), default=1.0)
    figure.update_yaxes(title="rise of the loss (nats a triple)", rangemode="tozero", col=1)
    figure.update_yaxes(rangemode="tozero", col=2)
    figure.update_yaxes(range=[0, 1.02 * highest], col=1)
    figure.update_xaxes(title="distance (change of calibrated scores)")
    finish(figure, height=430)
    figure.update_layout(margin={"t": 74}, legend={"y": 1.1})
    return figure


def _random_directions(
    figure: go.Figure, profile: Profile, line: dict[str, Any], name: str
) -> None:
    if not len(profile.random_NX):
        return
    rises_NX = profile.random_NX - profile.random_NX.min(axis=1, keepdims=True)
    low_X, high_X = np.quantile(rises_NX, [0.025, 0.975], axis=0)
    x = profile.distances_X
    figure.add_scatter(
        x=[*x, *x[::-1]], y=[*high_X, *low_X[::-1]], mode="lines", fill="toself",
        fillcolor=translucent(line["color"], 0.18), line={"width": 0}, hoverinfo="skip",
        showlegend=False, row=1, col=2,
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=rises_NX.mean(axis=0), mode="lines", line=line, showlegend=False, row=1, col=2,
        hovertemplate="distance %{x:.3g}<br>rise %{y:.2e}<extra>" + name + "</extra>",
    )  # fmt: skip
