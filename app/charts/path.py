"""Two ways between two minima: the straight line and a trained curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import CATEGORICAL, finished

if TYPE_CHECKING:
    from engine.geometry import ModePath


def ways_between(result: ModePath) -> go.Figure:
    """Train loss, validation loss and validation recall along both ways, one panel each."""
    panels = {
        "train loss (nats a triple)": result.train_loss_CT,
        "validation loss (nats a triple)": result.valid_loss_CT,
        f"validation recall@{result.cutoff}": result.valid_recall_CT,
    }
    panels = {name: values for name, values in panels.items() if np.isfinite(values).any()}
    figure = make_subplots(
        rows=1, cols=len(panels), subplot_titles=list(panels), horizontal_spacing=0.07
    )
    for column, (name, values_CT) in enumerate(panels.items(), 1):
        for c, (curve, values) in enumerate(zip(result.curves, values_CT, strict=True)):
            figure.add_scatter(
                x=result.places_T, y=values, name=curve, legendgroup=curve, mode="lines",
                line={"color": CATEGORICAL[c], "width": 2.5, "dash": ("dash", "solid")[c]},
                showlegend=column == 1,
                hovertemplate=f"{curve}, %{{x:.0%}} of the way<br>{name}: %{{y:.4f}}"
                "<extra></extra>",
                row=1, col=column,
            )  # fmt: skip
    figure.update_xaxes(
        tickvals=[0, 0.5, 1], ticktext=[result.labels[0], "half way", result.labels[1]]
    )
    figure = finished(figure, height=400)
    figure.update_layout(margin={"t": 84}, legend={"y": 1.2})
    return figure
