"""Flatness measures of one recommender whose factors are rescaled."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.charts.measure_names import SHORT
from app.charts.style import CATEGORICAL, MARKERS, NEUTRAL, finish, ratio_ticks


def measures_by_factor(table: pd.DataFrame) -> go.Figure:
    """Each measure over its value at c = 1, against c; raw ones dashed, invariant ones solid.

    ``table`` is the result's: columns c, measure, value, times, is_invariant.
    """
    figure = go.Figure()
    figure.add_hline(y=1, line={"color": NEUTRAL, "dash": "dot"})
    for place, (measure, rows) in enumerate(table.groupby("measure", sort=False)):
        stays = bool(rows["is_invariant"].iloc[0])
        name = SHORT.get(str(measure), str(measure))
        figure.add_scatter(
            x=rows["c"], y=rows["times"], mode="lines+markers",
            name=f"{name} ({'stays' if stays else 'moves'})",
            line={"color": CATEGORICAL[place % len(CATEGORICAL)], "width": 2.5,
                  "dash": "solid" if stays else "dash"},
            marker={"symbol": MARKERS[place % len(MARKERS)], "size": 9},
            customdata=rows["value"],
            hovertemplate=f"{name}<br>c = %{{x:g}}: %{{customdata:.4g}}, %{{y:.3g}} times its "
            "value at c = 1<extra></extra>",
        )  # fmt: skip
    factors = sorted(table["c"].unique())
    figure.update_xaxes(
        title="c in U → cU, V → V/c", type="log", tickvals=factors,
        ticktext=[f"{c:g}" for c in factors],
    )  # fmt: skip
    times = table["times"][table["times"] > 0]
    ticks, texts = ratio_ticks(min(times.min(), 0.9), max(times.max(), 1.1))
    figure.update_yaxes(
        title="times the value at c = 1", type="log", tickvals=ticks, ticktext=texts
    )
    figure = finish(figure, height=440)
    figure.update_layout(margin={"t": 84})
    return figure
