"""Two ways between two minima: the straight line and a trained curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from app.charts.style import CATEGORICAL, finish

if TYPE_CHECKING:
    from engine.geometry import ModePath


def ways_between(result: ModePath) -> dict[str, go.Figure]:
    """Train loss, validation loss and validation recall along both ways, by what they show."""
    panels = {
        "Train loss (nats a triple)": result.train_loss_CT,
        "Validation loss (nats a triple)": result.valid_loss_CT,
        f"Validation recall@{result.cutoff}": result.valid_recall_CT,
    }
    return {
        name: _along(result, name, values)
        for name, values in panels.items()
        if np.isfinite(values).any()
    }


def _along(result: ModePath, name: str, values_CT: np.ndarray) -> go.Figure:
    figure = go.Figure()
    for c, (curve, values) in enumerate(zip(result.curves, values_CT, strict=True)):
        figure.add_scatter(
            x=result.places_T, y=values, name=curve, mode="lines",
            line={"color": CATEGORICAL[c], "width": 2.5, "dash": ("dash", "solid")[c]},
            hovertemplate=f"{curve}, %{{x:.0%}} of the way<br>{name}: %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(tickvals=[0, 0.5, 1], ticktext=["from", "half way", "to"])
    return finish(figure, height=330)
