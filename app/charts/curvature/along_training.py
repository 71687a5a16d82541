"""Flatness measures by epoch of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from app.charts.style import Look, finish, look_of
from app.charts.text import chart_name

if TYPE_CHECKING:
    from engine.geometry import TrainingCurvature


def measure_by_epoch(
    results: Mapping[str, TrainingCurvature],
    measure: str,
    looks: Mapping[str, Look] | None = None,
) -> go.Figure:
    """One measure over the epochs of each run, by label; logarithmic."""
    from engine.geometry import measure_of, title_of

    figure = go.Figure()
    for label, result in results.items():
        style = look_of(label, looks, list(results))
        figure.add_scatter(
            x=result.epochs_N,
            y=result.values_MN[result.measures.index(measure)],
            name=chart_name(label),
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            marker={"symbol": style.marker, "size": 6},
            hovertemplate=f"epoch %{{x}}: %{{y:.4g}}<extra>{chart_name(label)}</extra>",
        )
    known = measure_of(measure)
    unit = f" ({known.unit})" if known else ""
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(title=f"{title_of(measure)}{unit}", type="log", exponentformat="power")
    return finish(figure, height=360)
