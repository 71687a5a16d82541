"""How high one item stands in the users' lists, before and under an attack."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.style import NEUTRAL, Look, finish, look_of, ratio_ticks
from app.charts.text import chart_name


def share_by_rank(
    ranks: Mapping[str, pd.DataFrame], looks: Mapping[str, Look] | None = None, cutoff: int = 20
) -> go.Figure:
    """Share of users whose list holds the item by a rank: thin before, thick under attack.

    ``ranks`` holds by label the table of ``RobustnessProbe.target_ranks``.
    """
    figure = go.Figure()
    for label, table in ranks.items():
        style = look_of(label, looks, list(ranks))
        for column, name, width in (
            ("rank_before", f"{chart_name(label)}, before", 1.2),
            ("rank_after", chart_name(label), 3.0),
        ):
            x, y = _cumulative(table[column].to_numpy())
            figure.add_scatter(
                x=x, y=y, mode="lines", name=name, legendgroup=label,
                showlegend=column == "rank_after",
                line={"color": style.colour, "dash": style.dash, "width": width, "shape": "hv"},
                hovertemplate=f"{name}: among the first %{{x}} for %{{y:.1%}} of users"
                "<extra></extra>",
            )  # fmt: skip
    figure.add_vline(x=cutoff, line={"color": NEUTRAL, "dash": "dot"})
    figure.add_annotation(
        x=np.log10(cutoff), y=1, yref="paper", yanchor="top", xanchor="left", xshift=4,
        text=f"first {cutoff}", showarrow=False,
    )  # fmt: skip
    last = max((float(table["rank_before"].max()) for table in ranks.values()), default=10.0)
    values, texts = ratio_ticks(1.0, max(last, 10.0))
    figure.update_xaxes(
        title="rank of the item (1 is the top)", type="log", tickvals=values, ticktext=texts
    )
    figure.update_yaxes(title="share of users", tickformat=".0%", rangemode="tozero")
    return finish(figure, height=400)


def _cumulative(ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct ranks, ascending, and the share of users at or above each."""
    distinct, counts = np.unique(ranks, return_counts=True)
    return distinct, np.cumsum(counts) / max(len(ranks), 1)
