"""Loss-landscape slices: lines, contours and surfaces, several runs on one colour scale."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import NEUTRAL, SEQUENTIAL, Look, finish, look_of
from app.charts.text import chart_name

if TYPE_CHECKING:
    from engine.geometry import Slice

MOST_COLUMNS = 3
SHARED = ("directions", "triples", "users", "perturbation", "range")
"""What a result says its runs have in common, as far as it is equal for all of them."""

NARROW = 46
"""Letters in a line that a telephone shows."""

N_LEVELS = 16
"""Contour lines, at the same values in every panel."""


def slice_lines(
    result: Slice, quantity: str, looks: Mapping[str, Look] | None = None, relative: bool = False
) -> go.Figure:
    """A quantity along the first direction, one line a run; on a plane, its cut at beta 0.

    ``relative`` draws the change from each run's own value at alpha 0, so that shapes compare.
    Points are the true losses along a training trajectory, which does not lie on the line.
    """
    q = result.quantities.index(quantity)
    cut = int(np.argmin(np.abs(result.betas_B)))
    figure = go.Figure()
    for run, label in enumerate(result.labels):
        values = result.values_RQAB[run, q, :, cut]
        values = values - result.centre_RQ[run, q] if relative else values
        style = look_of(label, looks, result.labels)
        figure.add_scatter(
            x=result.alphas_A,
            y=values,
            name=chart_name(label),
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": 2.5},
            hovertemplate=f"direction 1: %{{x:.3g}}<br>{quantity} %{{y:.4f}}"
            f"<extra>{chart_name(label)}</extra>",
        )
        mine = result.trajectory_run_N == run
        if quantity == "train_loss" and mine.any():
            true = result.trajectory_loss_N[mine]
            figure.add_scatter(
                x=result.trajectory_N2[mine, 0],
                y=true - result.centre_RQ[run, q] if relative else true,
                mode="markers", showlegend=False,
                marker={"color": style.colour, "symbol": style.marker, "size": 7},
                hovertemplate="true loss %{y:.4f}<extra>training trajectory, projected</extra>",
            )  # fmt: skip
    for place, label in zip(result.marks_M2, result.mark_labels, strict=True):
        figure.add_vline(
            x=place[0], line={"color": NEUTRAL, "dash": "dot", "width": 1},
            annotation={"text": chart_name(label), "yanchor": "bottom"}, annotation_position="top",
        )  # fmt: skip
    if not result.mark_labels:
        figure.add_vline(x=0, line={"color": NEUTRAL, "dash": "dot", "width": 1})
    change = "change in " if relative else ""
    figure.update_xaxes(title=f"direction 1 ({result.units['alphas_A']})")
    figure.update_yaxes(title=f"{change}{quantity_title(quantity)}")
    finish(figure, height=430, legend=len(result.labels) > 1)
    # Below, since on a narrow screen it takes several rows and would cover the note above.
    figure.update_layout(legend={"y": -0.22, "yanchor": "top"})
    return _with_shared(figure, result)


def slice_contours(result: Slice, quantity: str) -> go.Figure:
    """The plane of each run as filled contours, side by side on one colour scale."""
    columns, rows = _grid(result)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=[*map(chart_name, result.labels)],
        shared_xaxes=True, shared_yaxes=True,
        horizontal_spacing=0.03, vertical_spacing=0.12,
    )  # fmt: skip
    scale = colour_range(result, quantity)
    levels = even_levels(*scale)
    for run, label in enumerate(result.labels):
        place: dict[str, Any] = {"row": run // columns + 1, "col": run % columns + 1}
        figure.add_contour(
            x=result.alphas_A, y=result.betas_B, z=rises(result, quantity)[run].T,
            coloraxis="coloraxis", autocontour=False, contours=levels,
            line={"width": 0.6, "color": "rgba(255,255,255,.45)"},
            hovertemplate=f"{chart_name(label)}<br>direction 1: %{{x:.3g}}, 2: %{{y:.3g}}<br>"
            f"{rise_title(quantity)} %{{z:.4f}}"
            "<extra></extra>",
            **place,
        )  # fmt: skip
        _trajectory(figure, result, run, place)
        figure.add_scatter(
            x=[0], y=[0], mode="markers", showlegend=False,
            marker={"symbol": "x", "size": 10, "color": "#FFFFFF",
                    "line": {"color": "#12171D", "width": 1}},
            hovertemplate=f"{chart_name(label)}: its own weights, {quantity} "
            f"{result.centre_RQ[run, result.quantities.index(quantity)]:.4f}<extra></extra>",
            **place,
        )  # fmt: skip
    if len(result.marks_M2):
        figure.add_scatter(
            x=result.marks_M2[:, 0], y=result.marks_M2[:, 1],
            text=[*map(chart_name, result.mark_labels)],
            mode="markers+text", textposition="top center", showlegend=False,
            textfont={"color": "#FFFFFF", "shadow": "0 0 3px #12171D, 0 0 3px #12171D"},
            marker={"symbol": "star", "size": 12, "color": "#FFFFFF",
                    "line": {"color": "#12171D", "width": 1}},
            hovertemplate="%{text}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    for column in range(1, columns + 1):
        figure.update_xaxes(title="direction 1", row=rows, col=column)
    for row in range(1, rows + 1):
        figure.update_yaxes(title="direction 2", row=row, col=1)
    finish(figure, height=130 + 360 * rows, legend=False)
    figure.update_layout(coloraxis=_coloraxis(quantity, scale), margin={"t": 40, "b": 130})
    return _with_shared(figure, result)


def slice_surfaces(result: Slice, quantity: str) -> go.Figure:
    """The plane of each run as a 3-D surface, side by side on one colour scale and height.

    Along a training trajectory, each point's true loss stands over (or under) the surface's.
    """
    columns, rows = _grid(result)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=[*map(chart_name, result.labels)],
        specs=[[{"type": "surface"}] * columns for _ in range(rows)],
        horizontal_spacing=0.02, vertical_spacing=0.06,
    )  # fmt: skip
    scale = colour_range(result, quantity)
    for run, label in enumerate(result.labels):
        figure.add_surface(
            x=result.alphas_A, y=result.betas_B, z=rises(result, quantity)[run].T,
            coloraxis="coloraxis",
            hovertemplate=f"{chart_name(label)}<br>direction 1: %{{x:.3g}}, 2: %{{y:.3g}}<br>"
            f"{rise_title(quantity)} %{{z:.4f}}"
            "<extra></extra>",
            row=run // columns + 1, col=run % columns + 1,
        )  # fmt: skip
        if quantity == "train_loss":
            _true_losses(figure, result, run, {"row": run // columns + 1, "col": run % columns + 1})
    heights = [*scale, *(_trajectory_rises(result) if quantity == "train_loss" else ())]
    figure.update_scenes(
        xaxis_title="direction 1",
        yaxis_title="direction 2",
        zaxis={"title": "", "range": [min(heights), max(heights)]},
        camera={"eye": {"x": 1.45, "y": 1.45, "z": 0.8}, "center": {"z": -0.15}},
        aspectmode="cube",
    )
    finish(figure, height=130 + 430 * rows, legend=False)
    figure.update_layout(coloraxis=_coloraxis(quantity, scale), margin={"t": 40, "b": 130})
    return _with_shared(figure, result)


def quantity_title(quantity: str) -> str:
    """A quantity as an axis title, with its unit."""
    if _is_loss(quantity):
        return f"{quantity.replace('_', ' ')} (nats a triple)"
    return f"validation {quantity.replace('_', ' ')}"


def rise_title(quantity: str) -> str:
    """What a plane shows of a quantity: the rise of a loss, a metric as it is."""
    title = quantity_title(quantity)
    return f"rise of {title}" if _is_loss(quantity) else title


def rises(result: Slice, quantity: str) -> np.ndarray:
    """Each run's plane [R, A, B]; of a loss, above its own lowest point, so that depth is left out
    and shapes compare.
    """
    values_RAB: np.ndarray = result.values_RQAB[:, result.quantities.index(quantity)]
    if not _is_loss(quantity):
        return values_RAB
    return values_RAB - lowest_values(result, quantity)[:, None, None]


def lowest_values(result: Slice, quantity: str) -> np.ndarray:
    """The lowest value of a quantity on each run's plane [R]; 0 where none is known."""
    values_RAB = result.values_RQAB[:, result.quantities.index(quantity)]
    known = np.where(np.isfinite(values_RAB), values_RAB, np.inf).min(axis=(1, 2))
    return np.where(np.isfinite(known), known, 0.0)


def colour_range(result: Slice, quantity: str) -> list[float]:
    """Smallest and largest finite value over all runs: the one colour scale."""
    values = rises(result, quantity)
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if finite.size else [0.0, 1.0]


def _with_shared(figure: go.Figure, result: Slice) -> go.Figure:
    """What the compared runs have in common, written on the figure itself."""
    if len(result.labels) > 1:
        shared = ", ".join(name for name in SHARED if name in result.shared)
        lines = wrap(f"shared by all runs: {shared}, colours", NARROW)
        figure.add_annotation(
            text="<br>".join(lines), align="left",
            xref="paper", yref="paper", x=0, y=1, yshift=30, xanchor="left", yanchor="bottom",
            showarrow=False, font={"size": 12},
        )  # fmt: skip
        more = 26 + 16 * (len(lines) - 1)
        figure.update_layout(margin={"t": 48 + more}, height=figure.layout.height + more)
    return figure


def even_levels(low: float, high: float) -> dict[str, float]:
    """About N_LEVELS contour lines at round values: start, end and size, as Plotly takes them."""
    rough = max(high - low, 1e-9) / N_LEVELS
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((m for m in (1, 2, 2.5, 5, 10) if m * power >= rough), default=10)
    start = float(np.ceil(low / step) * step)
    return {"start": start, "end": float(np.floor(high / step) * step), "size": float(step)}


def _is_loss(quantity: str) -> bool:
    return quantity.endswith(("loss", "objective"))


def _grid(result: Slice) -> tuple[int, int]:
    count = len(result.labels)
    columns = 2 if count == 4 else min(count, MOST_COLUMNS)
    return columns, -(-count // columns)


def _coloraxis(quantity: str, scale: list[float]) -> dict[str, Any]:
    return {
        "colorscale": SEQUENTIAL,
        "cmin": scale[0],
        "cmax": scale[1],
        "colorbar": {
            "title": {"text": rise_title(quantity), "side": "bottom"},
            "orientation": "h",
            "thickness": 12,
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
        },
    }


def _trajectory(figure: go.Figure, result: Slice, run: int, place: dict[str, Any]) -> None:
    """The way training took, projected on the plane, with the true loss of each point."""
    mine = result.trajectory_run_N == run
    if not mine.any():
        return
    figure.add_scatter(
        x=result.trajectory_N2[mine, 0], y=result.trajectory_N2[mine, 1], mode="lines+markers",
        line={"color": "#FFFFFF", "width": 1.5}, marker={"size": 5, "color": "#FFFFFF"},
        customdata=np.stack(
            [result.trajectory_loss_N[mine], result.trajectory_surface_N[mine]], axis=1
        ),
        hovertemplate="true loss here %{customdata[0]:.4f}<br>surface below %{customdata[1]:.4f}"
        "<extra>training trajectory, projected</extra>",
        showlegend=False, **place,
    )  # fmt: skip


def _true_losses(figure: go.Figure, result: Slice, run: int, place: dict[str, Any]) -> None:
    """A pin from the surface to the true loss of each snapshot of training."""
    mine = result.trajectory_run_N == run
    if not mine.any():
        return
    at_N2 = np.repeat(result.trajectory_N2[mine], 3, axis=0)
    floor = lowest_values(result, "train_loss")[run]
    ends = [result.trajectory_loss_N[mine] - floor, result.trajectory_surface_N[mine] - floor]
    heights = [
        height
        for true, surface in zip(*ends, strict=True)
        for height in (float(true), float(surface), None)
    ]
    figure.add_scatter3d(
        x=at_N2[:, 0], y=at_N2[:, 1], z=heights, mode="lines+markers", showlegend=False,
        line={"color": "#C84729", "width": 3},
        marker={"color": "#C84729", "size": [4, 1, 1] * int(mine.sum())},
        hovertemplate="%{z:.4f}<extra>training trajectory: true loss, surface below it</extra>",
        **place,
    )  # fmt: skip


def _trajectory_rises(result: Slice) -> np.ndarray:
    """The true loss of each snapshot above the lowest point of its run's plane [N]."""
    if not len(result.trajectory_run_N):
        return np.zeros(0)
    return result.trajectory_loss_N - lowest_values(result, "train_loss")[result.trajectory_run_N]
