"""Test metrics of groups of runs with intervals, and paired differences to a baseline.

A group is a set of runs that differ only in their seed. Frames here have the columns ``group``,
``seed`` and one column a metric; an interval is Student's t at 95 % over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import NEUTRAL, Look, finish, look_of
from app.charts.text import chart_name


def metric_dots(
    intervals: pd.DataFrame,
    values: pd.DataFrame,
    metrics: Sequence[str],
    looks: Mapping[str, Look] | None = None,
) -> go.Figure:
    """One panel a metric: a small dot a seed, a large one for the mean, a bar for its interval.

    ``intervals`` has the columns group, metric, mean, low, high, n; ``values`` group, seed and the
    metrics.
    """
    groups = list(dict.fromkeys(intervals["group"]))
    figure = make_subplots(cols=len(metrics), shared_yaxes=True, horizontal_spacing=0.04)
    for column, metric in enumerate(metrics, start=1):
        for group in groups:
            style = look_of(group, looks, groups)
            seeds = values[values["group"] == group]
            figure.add_scatter(
                x=seeds[metric], y=[group] * len(seeds), customdata=seeds["seed"], mode="markers",
                marker={"color": style.colour, "size": 7, "opacity": 0.45},
                hovertemplate=f"{chart_name(group)}, seed %{{customdata}}: %{{x:.4f}}"
                "<extra></extra>",
                row=1, col=column, showlegend=False,
            )  # fmt: skip
            row = intervals[(intervals["group"] == group) & (intervals["metric"] == metric)]
            figure.add_scatter(
                x=row["mean"], y=[group], mode="markers",
                marker={"color": style.colour, "symbol": style.marker, "size": 12},
                error_x=_bars(row, style.colour),
                customdata=row[["low", "high", "n"]],
                hovertemplate=_interval_hover(group, metric),
                row=1, col=column, showlegend=False,
            )  # fmt: skip
        figure.update_xaxes(
            title=f"test {metric}", tickformat=_tick_format(values[metric]), nticks=5,
            row=1, col=column,
        )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", tickvals=groups, ticktext=[chart_name(group) for group in groups]
    )
    return finish(figure, height=120 + 46 * len(groups), legend=False)


def _tick_format(shown: pd.Series) -> str:
    """As many digits as tell the ticks of an axis over these values apart."""
    span = float(shown.max() - shown.min())
    digits = 3 if not span > 0 else min(max(3, math.ceil(1 - math.log10(span))), 6)
    return f".{digits}~f"


def paired_differences(
    intervals: pd.DataFrame, baseline: str, metric: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """Differences to the baseline with their intervals; the dotted line is no difference.

    ``intervals`` has the columns group, over ('seeds' or 'users'), mean, low, high, n, in the
    metric's own unit. Filled markers are over seeds, open ones below them over users.
    """
    groups = list(dict.fromkeys(intervals["group"]))
    what = f"{metric} minus {chart_name(baseline)}"
    figure = go.Figure()
    for over, shift in (("seeds", -0.14), ("users", 0.14)):
        named = False
        for place, group in enumerate(groups):
            row = intervals[(intervals["group"] == group) & (intervals["over"] == over)]
            if row.empty:
                continue
            style = look_of(group, looks, groups)
            symbol = style.marker if over == "seeds" else f"{style.marker}-open"
            figure.add_scatter(
                x=row["mean"], y=[place + shift], mode="markers", showlegend=not named,
                name=f"over {over}", legendgroup=over,
                marker={"color": style.colour, "symbol": symbol, "size": 12},
                error_x=_bars(row, style.colour),
                customdata=row[["low", "high", "n"]],
                hovertemplate=_interval_hover(group, f"{what}, over {over}"),
            )  # fmt: skip
            named = True
    figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot"})
    figure.update_xaxes(
        title=f"test {metric}, difference to {chart_name(baseline)}", tickformat="+.3~f"
    )
    figure.update_yaxes(
        tickvals=list(range(len(groups))),
        ticktext=[chart_name(group) for group in groups],
        range=[len(groups) - 0.5, -0.5],
    )
    return finish(figure, height=150 + 56 * len(groups))


def _bars(row: pd.DataFrame, colour: str) -> dict[str, object]:
    high, low = row["high"] - row["mean"], row["mean"] - row["low"]
    shown = bool(np.isfinite(high).all())
    return {
        "type": "data", "symmetric": False, "array": high, "arrayminus": low, "visible": shown,
        "color": colour, "thickness": 2, "width": 6,
    }  # fmt: skip


def _interval_hover(group: str, what: str) -> str:
    return (
        f"<b>{chart_name(group)}</b><br>{what}: %{{x:.4f}}<br>"
        "95 % interval %{customdata[0]:.4f} to %{customdata[1]:.4f}, n = %{customdata[2]}"
        "<extra></extra>"
    )
