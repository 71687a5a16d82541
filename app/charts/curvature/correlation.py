"""Flatness against robustness: one point a run, and rank correlations with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.style import CATEGORICAL, MARKERS, NEUTRAL, Look, finish, look_of
from app.charts.text import chart_name

MOST_NAMED = 8
"""Strategies that a legend names; of more, each point names its run when pointed at."""

CONTROLS = ("none", "within strategy")
"""The controls that are drawn."""


def runs_scatter(
    table: pd.DataFrame, measure: str, drop: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """One point a run: a flatness measure against the share of accuracy lost, by strategy."""
    from engine.geometry import title_of

    strategies = list(dict.fromkeys(table["strategy"]))
    figure = go.Figure()
    for strategy in strategies:
        rows = table[table["strategy"] == strategy]
        style = look_of(strategy, looks, strategies)
        figure.add_scatter(
            x=rows[measure], y=rows[drop], mode="markers", name=chart_name(strategy),
            marker={"color": style.colour, "symbol": style.marker, "size": 10},
            customdata=list(
                zip(rows["label"].map(chart_name), rows["clean_accuracy"], strict=True)
            ),
            hovertemplate="%{customdata[0]}<br>%{x:.3g}, lost %{y:.1%} of %{customdata[1]:.4f}"
            "<extra></extra>",
        )  # fmt: skip
    values = table[measure].to_numpy(dtype=float)
    if (values > 0).all() and np.ptp(np.log10(values)) > 1:
        figure.update_xaxes(type="log", exponentformat="power")
    figure.update_xaxes(title=f"{title_of(measure)} (larger is sharper)")
    figure.update_yaxes(title="share of clean accuracy lost", tickformat=".0%")
    # A long legend would leave no room for the points, which name themselves when pointed at.
    return finish(figure, height=420, legend=len(strategies) <= MOST_NAMED)


def correlation_dots(table: pd.DataFrame) -> go.Figure:
    """Rank correlation of each measure with one drop, under each control, with its interval.

    ``table`` is the table of ``flatness_versus_robustness`` for one drop.
    """
    from engine.geometry import title_of

    figure = go.Figure()
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot"})
    measures = list(dict.fromkeys(table["measure"]))
    for place, control in enumerate(CONTROLS):
        rows = table[(table["control"] == control) & table["correlation"].notna()]
        heights = [measures.index(m) + (place - 0.5) * 0.3 for m in rows["measure"]]
        figure.add_scatter(
            x=rows["correlation"], y=heights, mode="markers",
            name="all runs" if control == "none" else control,
            marker={"color": CATEGORICAL[place], "symbol": MARKERS[place], "size": 9},
            error_x={"type": "data", "symmetric": False, "thickness": 1.5,
                     "array": rows["high"] - rows["correlation"],
                     "arrayminus": rows["correlation"] - rows["low"]},
            customdata=rows[["measure", "low", "high", "n"]],
            hovertemplate="%{customdata[0]}: %{x:.2f} [%{customdata[1]:.2f}, %{customdata[2]:.2f}]"
            ", %{customdata[3]} runs<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="rank correlation, 95 % interval", range=[-1.05, 1.05])
    figure.update_yaxes(
        tickvals=list(range(len(measures))),
        ticktext=[title_of(m) for m in measures],
        autorange="reversed",
    )
    return finish(figure, height=130 + 40 * len(measures))
