"""What a dataset looks like: how popularity is spread, and how items fall into categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.style import CATEGORICAL, NEUTRAL, finish
from app.charts.text import chart_name


def long_tail(popularity: np.ndarray, titles: pd.Series) -> go.Figure:
    """Training interactions of each item [n_items], most popular first."""
    order = np.argsort(-popularity, kind="stable")
    figure = go.Figure(
        go.Scatter(
            x=np.arange(1, len(order) + 1),
            y=popularity[order],
            customdata=titles.map(chart_name).to_numpy()[order],
            mode="lines",
            line={"color": CATEGORICAL[0], "width": 2, "shape": "hv"},
            fill="tozeroy",
            fillcolor="rgba(43,106,135,0.18)",
            hovertemplate="%{customdata}<br>rank %{x}, %{y} interactions<extra></extra>",
        )
    )
    half = int(np.searchsorted(np.cumsum(popularity[order]), popularity.sum() / 2)) + 1
    figure.add_vline(x=half, line={"color": NEUTRAL, "dash": "dot"})
    figure.add_annotation(
        x=half, y=1, yref="paper", xanchor="left", yanchor="top", showarrow=False, xshift=6,
        text=f"the {half} most popular items<br>have half of all interactions", align="left",
    )  # fmt: skip
    figure.update_xaxes(title="item, by popularity (rank)")
    figure.update_yaxes(title="training interactions")
    return finish(figure, height=300, legend=False)


def long_tail_caption(popularity: np.ndarray) -> str:
    """What the chart shows, in words and numbers."""
    total = int(popularity.sum())
    unseen = int((popularity == 0).sum())
    return (
        f"{total:,} training interactions over {len(popularity):,} items; "
        f"{unseen:,} items have none. Validation and test interactions are not counted."
    )


def category_sizes(categories: pd.Series, noise: pd.Series) -> go.Figure:
    """Items in each category, and how many of them are known to mislead."""
    named = categories.where(categories != "", "unknown")
    table = pd.crosstab(named, np.where(noise != "", "misleading", "honest"))
    table.index = table.index.map(chart_name)
    table = table.loc[table.sum(axis=1).sort_values().index].tail(15)
    figure = go.Figure()
    parts = (("honest", CATEGORICAL[0], ""), ("misleading", CATEGORICAL[1], "/"))
    for name, colour, pattern in parts:
        if name in table:
            figure.add_bar(
                y=table.index,
                x=table[name],
                orientation="h",
                name={"honest": "as labelled", "misleading": "misleading on purpose"}[name],
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertemplate="%{y}: %{x} items<extra>%{fullData.name}</extra>",
            )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="items")
    return finish(figure, height=300, legend="misleading" in table)
