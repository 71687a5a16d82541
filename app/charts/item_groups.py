"""Which items are found less under a perturbation: popular or tail, by category, misleading."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.charts.style import Look, finish, look_of
from app.charts.text import chart_name


def found_by_group(table: pd.DataFrame, looks: Mapping[str, Look] | None = None) -> go.Figure:
    """Share found clean (ring) and perturbed (filled) of each item group, one row a strategy.

    ``table`` has the columns group, strategy, clean, perturbed, low, high (the interval of
    perturbed over seeds, NaN for one).
    """
    groups = list(dict.fromkeys(table["group"]))
    strategies = list(dict.fromkeys(table["strategy"]))
    figure = go.Figure()
    for place, strategy in enumerate(strategies):
        rows = table[table["strategy"] == strategy]
        style, run = look_of(strategy, looks, strategies), chart_name(strategy)
        step = 0.7 / max(len(strategies), 1)
        heights = [
            groups.index(g) + (place - (len(strategies) - 1) / 2) * step for g in rows["group"]
        ]
        for clean, perturbed, height in zip(rows["clean"], rows["perturbed"], heights, strict=True):
            figure.add_scatter(
                x=[clean, perturbed], y=[height, height], mode="lines", showlegend=False,
                line={"color": style.colour, "width": 3}, opacity=0.4, hoverinfo="skip",
            )  # fmt: skip
        figure.add_scatter(
            x=rows["clean"], y=heights, mode="markers", showlegend=False,
            marker={"symbol": "circle-open", "size": 9, "color": style.colour,
                    "line": {"width": 2}},
            customdata=rows["group"].map(chart_name),
            hovertemplate=f"{run}, %{{customdata}}, clean: %{{x:.4f}}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=rows["perturbed"], y=heights, mode="markers", name=run,
            marker={"symbol": style.marker, "size": 9, "color": style.colour},
            error_x={"type": "data", "symmetric": False, "thickness": 1.2,
                     "array": rows["high"] - rows["perturbed"],
                     "arrayminus": rows["perturbed"] - rows["low"]},
            customdata=rows["group"].map(chart_name),
            hovertemplate=f"{run}, %{{customdata}}, perturbed: %{{x:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="share of held-out interactions found", rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(groups))),
        ticktext=[chart_name(group) for group in groups],
        autorange="reversed",
    )
    return finish(figure, height=130 + len(groups) * max(34, 16 * len(strategies)))
