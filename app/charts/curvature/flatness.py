"""Flatness measures of strategies as multiples of one strategy's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.style import NEUTRAL, Look, finish, look_of, ratio_ticks
from app.charts.text import chart_name


def measures_against(
    table: pd.DataFrame, baseline: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """Each flatness measure's mean as a multiple of the baseline's, with its interval, log scale.

    ``table`` is that of ``engine.geometry.flatness_table``.
    """
    names = list(dict.fromkeys(table["strategy"]))
    ratios = _ratios(table, baseline)
    low = min([*ratios["ratio"], *ratios["low"][ratios["low"] > 0], 1.0]) / 1.08
    high = max([*ratios["ratio"], *ratios["high"].dropna(), 1.0]) * 1.08
    figure = go.Figure()
    measures = list(dict.fromkeys(table["measure"]))
    titles = table.drop_duplicates("measure")["title"].tolist()
    for place, name in enumerate(names):
        style = look_of(name, looks, names)
        mine = ratios[ratios["strategy"] == name]
        # Side by side, so that no bar hides another.
        beside = 0.7 * ((place + 0.5) / len(names) - 0.5)
        figure.add_scatter(
            x=mine["ratio"], y=mine["measure"].map(measures.index) + beside, name=chart_name(name),
            mode="markers", text=mine["title"],
            marker={"color": style.colour, "symbol": style.marker, "size": 11},
            # A bar that reaches 0 or below leaves the logarithmic axis on the left.
            error_x={"type": "data", "symmetric": False, "thickness": 1.5,
                     "visible": bool(mine["low"].notna().any()),
                     "array": mine["high"] - mine["ratio"],
                     "arrayminus": mine["ratio"] - mine["low"].clip(lower=low / 2)},
            customdata=mine[["mean", "n"]],
            hovertemplate="%{text}: %{customdata[0]:.4g}, mean of %{customdata[1]}<br>"
            f"%{{x:.2f}} times {chart_name(baseline)}<extra>{chart_name(name)}</extra>",
        )  # fmt: skip
    figure.add_vline(x=1, line={"color": NEUTRAL, "dash": "dot"})
    ticks, texts = ratio_ticks(low, high)
    figure.update_xaxes(
        title=f"times {chart_name(baseline)}", type="log",
        tickvals=ticks, ticktext=texts, tickangle=0,
        range=[np.log10(low), np.log10(high)],
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(measures))),
        ticktext=titles,
        autorange="reversed",
    )
    return finish(figure, height=120 + len(measures) * max(40, 12 * len(names)))


def _ratios(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Means and limits over the baseline's mean, where both means are positive."""
    base = table[table["strategy"] == baseline].set_index("measure")["mean"]
    of = table["measure"].map(base)
    ratios = table.assign(ratio=table["mean"] / of, low=table["low"] / of, high=table["high"] / of)
    is_drawn = np.isfinite(ratios["ratio"]) & (ratios["ratio"] > 0) & (of > 0)
    return ratios[is_drawn]
