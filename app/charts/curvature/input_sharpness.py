"""How sensitive the loss is to each item's features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from app.charts.style import Look, finish, look_of, ratio_ticks
from app.charts.text import chart_name

N_BINS = 20


def sharpness_histogram(
    values: Mapping[str, np.ndarray], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """Items by the length of the loss's gradient at their features, log scale, one line a run."""
    figure = go.Figure()
    logs = {label: np.log10(v[v > 0]) for label, v in values.items()}
    known = np.concatenate([v for v in logs.values() if len(v)] or [np.zeros(1)])
    edges = np.linspace(known.min(), known.max() + 1e-9, N_BINS + 1)
    middles = 10 ** ((edges[:-1] + edges[1:]) / 2)
    for label, values_I in logs.items():
        style = look_of(label, looks, list(values))
        figure.add_scatter(
            x=middles, y=np.histogram(values_I, edges)[0], name=chart_name(label), mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2.5},
            hovertemplate=f"about %{{x:.2g}}: %{{y}} items<extra>{chart_name(label)}</extra>",
        )  # fmt: skip
    ticks, texts = ratio_ticks(10 ** edges[0], 10 ** edges[-1])
    figure.update_xaxes(
        title="input sharpness (nats / unit of feature)", type="log", tickvals=ticks, ticktext=texts
    )
    figure.update_yaxes(title="items")
    return finish(figure, height=340)
