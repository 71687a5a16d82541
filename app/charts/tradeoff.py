"""Reliance on features against accuracy under the worst attack: robustness told from disuse."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.charts.style import NEUTRAL, Look, finish, look_of
from app.charts.text import chart_name


def tradeoff_scatter(
    points: pd.DataFrame,
    means: pd.DataFrame,
    metric: str,
    looks: Mapping[str, Look] | None = None,
) -> go.Figure:
    """One small point a run, one large one with 95 % intervals a strategy.

    ``points`` and ``means`` are the tables of ``engine.robustness.standard``: ``tradeoff`` and
    ``tradeoff_means``. Strategies of one path are joined in order of epsilon. The dotted line leads
    from the models that see no features to plain training: a point on it keeps its accuracy by
    using its features less.
    """
    figure = go.Figure()
    line = points.dropna(subset="above_disuse").sort_values("reliance")
    if len(line):
        figure.add_scatter(
            x=line["reliance"], y=line["worst"] - line["above_disuse"], mode="lines",
            name="disuse", line={"color": NEUTRAL, "dash": "dot"}, hoverinfo="skip",
        )  # fmt: skip
    for path, group in means[means["path"] != ""].groupby("path", sort=False):
        ordered = group.sort_values("epsilon")
        figure.add_scatter(
            x=ordered["reliance"], y=ordered["worst"], mode="lines",
            name=f"{chart_name(path)} by epsilon",
            line={"color": NEUTRAL, "width": 1.5}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
    strategies = list(means["strategy"])
    for _, row in means.iterrows():
        style = look_of(str(row["strategy"]), looks, strategies)
        runs = points[points["strategy"] == row["strategy"]]
        figure.add_scatter(
            x=runs["reliance"], y=runs["worst"], mode="markers", showlegend=False, opacity=0.45,
            marker={"color": style.colour, "symbol": style.marker, "size": 6},
            customdata=runs.assign(label=runs["label"].map(chart_name))[
                ["label", "clean", "kept", "worst_attack"]
            ],
            hovertemplate="%{customdata[0]}<br>relies on features for %{x:.4f}<br>keeps %{y:.4f} "
            "of %{customdata[1]:.4f} (%{customdata[2]:.0%}) under %{customdata[3]}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[row["reliance"]], y=[row["worst"]], mode="markers", name=chart_name(row["strategy"]),
            marker={"color": style.colour, "symbol": style.marker, "size": 12},
            error_x=_interval(row, "reliance"), error_y=_interval(row, "worst"),
            hovertemplate=f"{chart_name(row['strategy'])}, mean of {row['n_seeds']} seeds"
            "<br>relies on features for %{x:.4f}<br>keeps %{y:.4f} under the worst attack"
            "<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title=f"reliance on features ({metric}, clean minus removed)")
    figure.update_yaxes(title=f"{metric} under the worst attack", rangemode="tozero")
    return finish(figure, height=440)


def tradeoff_caption(points: pd.DataFrame) -> str:
    """What is seen, and what it does not prove."""
    text = (
        "Right: accuracy that is lost without the features. Up: accuracy that is left under the "
        "worst of the standard set of attacks. Large points are means over seeds with 95 % "
        "intervals. "
    )
    if points["above_disuse"].notna().any():
        return text + (
            "On the dotted line, from models that see no features to plain training, accuracy "
            "under attack is bought by disuse; above it lies robustness."
        )
    return text + (
        "Add a run of a model without features (bpr-mf) and a plainly trained one to draw the line "
        "along which accuracy under attack is bought by disuse."
    )


def _interval(row: pd.Series, measure: str) -> dict[str, object]:
    """Plotly's error bar of a mean."""
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    if pd.isna(low):
        return {"visible": False}
    return {"type": "data", "symmetric": False, "array": [high - row[measure]],
            "arrayminus": [row[measure] - low], "thickness": 1, "width": 3}  # fmt: skip
