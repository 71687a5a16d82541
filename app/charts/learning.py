"""How training went: loss and the validation metric by epoch, one line a run."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from app.charts.style import NEUTRAL, Look, finish, look_of
from app.charts.text import chart_name
from engine.foundation.strategy_rule import without_seed

MOST_NAMED = 8
"""Runs that get a legend entry each; of more, each name gets one for all its runs."""


def loss_curves(
    epochs: Mapping[str, pd.DataFrame], looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """Mean training loss a step; ``epochs`` holds each run's 'epoch' events by label."""
    figure = _curves(epochs, "loss", looks, "%{y:.4f}")
    figure.update_yaxes(title="training loss (mean a step)")
    return finish(figure, height=340)


def validation_curves(
    epochs: Mapping[str, pd.DataFrame], metric: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """A validation metric such as ``recall@20``; a large marker is the epoch it chose."""
    figure = _curves(epochs, f"valid_{metric}", looks, "%{y:.4f}")
    for label, frame in epochs.items():
        if f"valid_{metric}" not in frame or frame.empty:
            continue
        best = frame[frame["epoch"] == frame["best_epoch"].iloc[-1]]
        style = _style(label, epochs, looks)
        figure.add_scatter(
            x=best["epoch"],
            y=best[f"valid_{metric}"],
            mode="markers",
            marker={
                "color": style.colour,
                "symbol": style.marker,
                "size": 11 if len(epochs) <= MOST_NAMED else 7,
            },
            name=f"{chart_name(label)}: chosen epoch",
            showlegend=False,
            hovertemplate="chosen epoch %{x}: %{y:.4f}<extra>" + chart_name(label) + "</extra>",
        )
    figure.update_yaxes(title=f"validation {metric}")
    return finish(figure, height=340)


MIRROR = {
    "ascent_cosine": "cosine with the ascent direction",
    "share_uphill": "share of weights moved uphill",
}
"""What Mirror Gradient's second half-step is asked once an epoch, by the events' column."""


def mirror_runs(epochs: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The runs whose events say what the second half-step did."""
    return {label: frame for label, frame in epochs.items() if set(MIRROR) <= set(frame)}


def mirror_curves(
    epochs: Mapping[str, pd.DataFrame], column: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """One of ``MIRROR`` by epoch; the dotted line is a step that neither climbs nor descends."""
    figure = _curves(epochs, column, looks, "%{y:.3f}")
    neither, lowest = (0.0, -1.0) if column == "ascent_cosine" else (0.5, 0.0)
    figure.add_hline(neither, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    figure.update_yaxes(title=MIRROR[column], range=[lowest - 0.04, 1.04])
    return finish(figure, height=300)


def mirror_caption(epochs: Mapping[str, pd.DataFrame]) -> str:
    """What the half-steps of these runs did on average, and what that means."""
    runs: dict[str, list[pd.DataFrame]] = {}
    for label, frame in epochs.items():
        runs.setdefault(shared_name(label), []).append(frame)
    together = {name: pd.concat(frames, ignore_index=True) for name, frames in runs.items()}
    means = [
        f"{chart_name(name)} {frame['ascent_cosine'].mean():+.2f} and "
        f"{frame['share_uphill'].mean():.0%}"
        for name, frame in together.items()
    ]
    return (
        "Mirror Gradient's second half-step is meant to climb. Measured at one batch an epoch: 1 "
        "and 100 % is a pure ascent, as under plain SGD; below the dotted line it mostly descends "
        "on, as under Adam, whose momentum and scaling outweigh the turned sign. Means over epochs "
        f"and seeds, cosine and share: {'; '.join(means)}."
    )


def learning_caption(epochs: Mapping[str, pd.DataFrame], metric: str) -> str:
    """How to read both charts."""
    warm = [name for name, f in epochs.items() if "phase" in f and (f["phase"] != "main").any()]
    text = (
        f"One line a run, one seed each, no interval. Validation {metric} over all users with "
        "validation items chose each epoch (large marker); the test split was not looked at. "
        "Losses of different objectives are different sums: compare their shape, not their height."
    )
    return (
        f"{text} {', '.join(map(chart_name, warm))} starts with plain epochs (warm start)."
        if warm
        else text
    )


def _curves(
    epochs: Mapping[str, pd.DataFrame],
    column: str,
    looks: Mapping[str, Look] | None,
    number: str,
) -> go.Figure:
    figure = go.Figure()
    few = len(epochs) <= MOST_NAMED
    named: set[str] = set()
    for label, frame in epochs.items():
        if column not in frame:
            continue
        shown = frame.dropna(subset=[column])
        style = _style(label, epochs, looks)
        name = label if few else shared_name(label)
        figure.add_scatter(
            x=shown["epoch"],
            y=shown[column],
            mode="lines",
            name=chart_name(name),
            legendgroup=name,
            showlegend=name not in named,
            line={"color": style.colour, "dash": style.dash, "width": 2 if few else 1.2},
            hovertemplate=f"epoch %{{x}}: {number}<extra>{chart_name(label)}</extra>",
        )
        named.add(name)
    figure.update_xaxes(title="epoch")
    return figure


def shared_name(label: str) -> str:
    """What a run's label shares with its other seeds: ``plain`` of ``plain, seed 3 · 7152``."""
    return without_seed(label.split(" · ")[0])


def _style(
    label: str, epochs: Mapping[str, pd.DataFrame], looks: Mapping[str, Look] | None
) -> Look:
    """The run's look; where runs are many, that of the first run of its name."""
    if len(epochs) > MOST_NAMED:
        label = next(other for other in epochs if shared_name(other) == shared_name(label))
    return look_of(label, looks, list(epochs))
