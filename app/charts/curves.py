"""What a perturbation does: accuracy against strength, and one strength before and after."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import NEUTRAL, Look, finish, look_of, translucent
from app.charts.text import chart_name

SHOWN = {
    "accuracy": ("mean", "low", "high"),
    "lost": ("drop", "drop_low", "drop_high"),
    "share lost": ("relative_drop", "relative_drop_low", "relative_drop_high"),
}
"""What a curve may show: columns of the bands' table, a value and its interval."""


def strength_curves(
    bands: pd.DataFrame,
    metric: str,
    looks: Mapping[str, Look] | None = None,
    shown: str = "accuracy",
) -> go.Figure:
    """One panel a perturbation and modality, one line a strategy, a band over its seeds.

    ``bands`` is the table of ``engine.robustness.bands``; ``shown`` is a key of SHOWN. An attack's
    random control of equal norm is the thin dotted line in the same panel. The cross at the right
    is what the strategy scores (or loses) with the features hit removed.
    """
    value, low, high = SHOWN[shown]
    number = ".1%" if shown == "share lost" else ".4f"
    main = bands[bands["control_of"] == ""]
    panels = list(dict.fromkeys(zip(main["perturbation"], main["modality"], strict=True)))
    strategies = list(dict.fromkeys(bands["strategy"]))
    columns = min(3, max(len(panels), 1))
    rows = -(-max(len(panels), 1) // columns)
    several = main["modality"].nunique() > 1
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        subplot_titles=[f"{p}, {m}" if several else p for p, m in panels],
        horizontal_spacing=0.03,
        vertical_spacing=0.2,
    )
    for index, (kind, modality) in enumerate(panels):
        row, column = index // columns + 1, index % columns + 1
        here = bands[bands["modality"] == modality]
        for strategy in strategies:
            style, name = look_of(strategy, looks, strategies), chart_name(strategy)
            lines = here[here["strategy"] == strategy]
            line = lines[(lines["perturbation"] == kind) & (lines["control_of"] == "")]
            _band(figure, line, (low, high), style, row, column)
            figure.add_scatter(
                x=line["strength"], y=line[value], name=name, legendgroup=strategy,
                showlegend=index == 0, mode="lines+markers",
                line={"color": style.colour, "dash": style.dash, "width": 2.5},
                marker={"symbol": style.marker, "size": 7},
                customdata=line[["relative_drop", "n_seeds"]],
                hovertemplate=f"<b>{name}</b><br>strength %{{x:g}}: {metric} "
                f"%{{y:{number}}}<br>"
                "lost %{customdata[0]:.1%} of clean, %{customdata[1]} seed(s)<extra></extra>",
                row=row, col=column,
            )  # fmt: skip
            control = lines[lines["control_of"] == kind]
            if len(control):
                figure.add_scatter(
                    x=control["strength"], y=control[value], legendgroup=strategy, mode="lines",
                    showlegend=False, line={"color": style.colour, "dash": "dot", "width": 1.2},
                    hovertemplate=f"{name}, random control<br>strength %{{x:g}}: "
                    f"%{{y:{number}}}<extra></extra>",
                    row=row, col=column,
                )  # fmt: skip
            _without_features(figure, line, shown, number, style, row, column)
        figure.update_xaxes(title="strength", row=row, col=column)
    if bands["removed"].notna().any():
        _legend_only(figure, "features removed", "x-thin-open")
    title = split_metric(metric) + ("" if shown == "accuracy" else f", {shown}")
    for row in range(1, rows + 1):
        figure.update_yaxes(title=title, rangemode="tozero", row=row, col=1)
    figure.update_yaxes(tickformat=".0%" if shown == "share lost" else None)
    finish(figure, height=60 + 350 * rows)
    figure.update_layout(margin={"t": 78}, legend={"y": 1 + 0.22 / rows})
    return figure


REFERENCES = {
    "control": ("random control of equal norm", "line-ns-open"),
    "removed": ("features removed", "x-thin-open"),
}
"""What a perturbed value is read beside: column, name and symbol."""


def before_and_after(
    answers: pd.DataFrame, metric: str, looks: Mapping[str, Look] | None = None
) -> go.Figure:
    """One row a run: clean (ring), perturbed (filled), random control of equal norm (bar), features
    removed (cross).

    ``answers`` has the columns label, clean, perturbed, removed and, for attacks, control.
    """
    labels = list(answers["label"])
    figure = go.Figure()
    for row in answers.to_dict("records"):
        label = str(row["label"])
        style, run = look_of(label, looks, labels), chart_name(label)
        figure.add_scatter(
            x=[row["clean"], row["perturbed"]], y=[label, label], mode="lines", showlegend=False,
            line={"color": style.colour, "width": 4}, opacity=0.45, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=[row["clean"]], y=[label], mode="markers", showlegend=False,
            marker={"symbol": "circle-open", "size": 14, "color": style.colour,
                    "line": {"width": 2.5}},
            hovertemplate=f"{run}, clean: %{{x:.4f}}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[row["perturbed"]], y=[label], mode="markers", showlegend=False,
            marker={"symbol": "circle", "size": 14, "color": style.colour},
            hovertemplate=f"{run}, perturbed: %{{x:.4f}}<extra></extra>",
        )  # fmt: skip
        for column, (name, symbol) in REFERENCES.items():
            reference = row.get(column)
            if reference is not None and np.isfinite(reference):
                figure.add_scatter(
                    x=[reference], y=[label], mode="markers", showlegend=False,
                    marker={"symbol": symbol, "size": 16, "color": NEUTRAL, "line": {"width": 3}},
                    hovertemplate=f"{run}, {name}: %{{x:.4f}}<extra></extra>",
                )  # fmt: skip
    for name, symbol in (("clean", "circle-open"), ("perturbed", "circle")):
        _legend_only(figure, name, symbol)
    for column, (name, symbol) in REFERENCES.items():
        if column in answers:
            _legend_only(figure, name, symbol)
    figure.update_xaxes(title=split_metric(metric), rangemode="tozero")
    figure.update_yaxes(
        autorange="reversed", tickvals=labels, ticktext=[chart_name(label) for label in labels]
    )
    return finish(figure, height=130 + 42 * len(labels))


def curves_caption(bands: pd.DataFrame) -> str:
    """Seeds, bands, controls and units of the curves, in words."""
    seeds = dict(zip(bands["strategy"], bands["n_seeds"], strict=True))
    units = dict(zip(bands["perturbation"], bands["unit"], strict=True))
    return (
        f"Seeds: {', '.join(f'{chart_name(name)} {n}' for name, n in seeds.items())}; bands are "
        "95 % intervals "
        "over seeds, none for one seed. Thin dotted lines: random control of equal norm. "
        "Crosses: the same models with the features hit removed. "
        f"Strength: {'; '.join(f'{kind}: {unit}' for kind, unit in units.items())}."
    )


def indifference_warning(table: pd.DataFrame, metric: str) -> str:
    """A sentence on strategies that gain nothing by their features; '' where there are none.

    ``table`` is that of ``engine.robustness.indifferent``.
    """
    if table.empty:
        return ""
    sentences = [
        f"{chart_name(row['strategy'])} keeps {row['kept']:.0%} of its {metric} with "
        f"{'its' if row['modality'] == 'both' else row['modality']} features removed"
        for row in table.to_dict("records")
    ]
    return (
        f"{'; '.join(sentences)}. Where a model gains nothing by its features, a flat curve shows "
        "disuse, not robustness."
    )


def split_metric(metric: str) -> str:
    """A metric as an axis title."""
    return f"test {metric}"


def _legend_only(figure: go.Figure, name: str, symbol: str) -> None:
    figure.add_scatter(
        x=[None], y=[None], mode="markers", name=name,
        marker={"symbol": symbol, "color": NEUTRAL, "size": 11, "line": {"width": 2.5}},
    )  # fmt: skip


def _without_features(
    figure: go.Figure, line: pd.DataFrame, shown: str, number: str, style: Look, row: int, col: int
) -> None:
    """A cross right of the curve: the same models with the features hit set to zero."""
    removed = float(line["removed"].iloc[0]) if len(line) else float("nan")
    if not np.isfinite(removed):
        return
    clean = float(line["mean"].iloc[0])
    lost = clean - removed
    at = {"accuracy": removed, "lost": lost, "share lost": lost / clean if clean > 0 else np.nan}
    figure.add_scatter(
        x=[1.06 * line["strength"].max()], y=[at[shown]], mode="markers", showlegend=False,
        legendgroup=line["strategy"].iloc[0],
        marker={"symbol": "x-thin", "size": 11, "line": {"color": style.colour, "width": 3}},
        hovertemplate=f"<b>{chart_name(line['strategy'].iloc[0])}</b>, these features removed: "
        f"%{{y:{number}}}<extra></extra>",
        row=row, col=col,
    )  # fmt: skip


def _band(
    figure: go.Figure, line: pd.DataFrame, ends: tuple[str, str], style: Look, row: int, column: int
) -> None:
    """The 95 % interval over seeds, where there are several."""
    low, high = ends
    known = line.dropna(subset=[low, high])
    if known.empty:
        return
    figure.add_scatter(
        x=[*known["strength"], *known["strength"][::-1]],
        y=[*known[high], *known[low][::-1]],
        mode="lines",  # few points would be drawn as markers too
        fill="toself",
        fillcolor=translucent(style.colour, 0.18),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        row=row,
        col=column,
    )
