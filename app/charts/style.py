"""What all charts share: colours that everybody can tell apart, text sizes, and captions."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from engine.foundation.strategy_rule import without_seed

CATEGORICAL = ("#2B6A87", "#D08310", "#598AFF", "#C84729", "#00AB50", "#AD8697")
"""One colour a strategy. At least 3:1 against our light and dark background, and told apart under
simulated protanopia, deuteranopia and tritanopia; dashes and markers say the same a second time."""

CATEGORIES = (*CATEGORICAL, "#9457C8", "#7C8A91")
"""For categories of items: two more, told from the others by their markers too."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "cross", "triangle-up", "x")
CATEGORY_MARKERS = (*MARKERS, "triangle-down", "star")

SEQUENTIAL = "Viridis"
"""Perceptually even, and readable without colour."""

NEUTRAL = "#7C8A91"
"""Reference lines, missing values and what is not the point; readable on both backgrounds."""

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg", "filename": "basin"},
}
"""Plotly's toolbar: nothing that sends data away; pictures are saved as SVG."""


KNOWN_STRATEGIES = (
    "plain", "mg", "amr", "mg+amr", "sam", "noise", "mg-sgd", "asam", "gradient-norm",
    "weight-decay", "swa", "ema", "pgd", "apr", "amr-published", "mg-published", "mg+sam", "pamacf",
    "lightgcn-published", "freedom-published",
)  # fmt: skip
"""Presets, each of which always has the look of its place here."""


class Look(NamedTuple):
    """How one strategy is drawn, on every page alike."""

    colour: str
    dash: str
    marker: str


def look(index: int) -> Look:
    """The look of the index-th strategy; repeats colours only with another dash and marker."""
    turn, place = divmod(index, len(CATEGORICAL))
    other = (place + turn) % len(CATEGORICAL)
    return Look(CATEGORICAL[place], DASHES[other], MARKERS[other])


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each strategy or run, by its name without the seed, on any dataset and chart.

    Presets have theirs for good. Other names have one that follows from the name; where two would
    have the same, the later of ``names`` has the next.
    """
    n_looks, n_known = len(CATEGORICAL) * len(MARKERS), len(KNOWN_STRATEGIES)
    strategies = list(dict.fromkeys(map(without_seed, names)))
    places = {s: KNOWN_STRATEGIES.index(s) for s in strategies if s in KNOWN_STRATEGIES}
    for name in strategies:
        if name not in places:
            first = n_known + zlib.crc32(name.encode()) % (n_looks - n_known)
            # The looks of presets that are not here come last.
            order = (*range(first, n_looks), *range(n_known, first), *range(n_known))
            taken = set(places.values())
            places[name] = next((place for place in order if place not in taken), first)
    return {name: look(places[without_seed(name)]) for name in names}


def look_of(name: str, looks_by_name: Mapping[str, Look] | None, names: Sequence[str]) -> Look:
    """The look of a run in ``looks_by_name``, else the one that its name has."""
    if looks_by_name and name in looks_by_name:
        return looks_by_name[name]
    return looks(names)[name]


def translucent(colour: str, opacity: float) -> str:
    """A hex colour as rgba, for bands."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def finish(figure: go.Figure, height: int = 380, legend: bool = True) -> go.Figure:
    """Margins, legend above the plot, and no background of its own."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 48 if legend else 24, "b": 10},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
        font={"size": 13},
    )
    figure.update_xaxes(automargin=True, gridcolor=translucent(NEUTRAL, 0.25), zeroline=False)
    figure.update_yaxes(automargin=True, gridcolor=translucent(NEUTRAL, 0.25), zeroline=False)
    return figure


def ratio_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round values and their texts for a logarithmic axis from ``low`` to ``high``, both above 0.

    Powers of ten over many decades, 1-2-5 over a few, finer steps around a narrow range.
    """
    decades = float(np.log10(high / low))
    if decades <= 0.15:
        step = next(s for s in (0.01, 0.02, 0.05, 0.1) if (high - low) / high / s <= 8)
        step *= 10.0 ** np.floor(np.log10(high))
        ticks = [k * step for k in range(int(np.ceil(low / step)), int(high / step) + 1)]
        return ticks, [f"{tick:.6g}" for tick in ticks]
    if decades > 3:
        steps: tuple[float, ...] = (1,)
    elif decades > 0.8:
        steps = (1, 2, 5)
    else:
        steps = (1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    powers = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return ticks, [f"{tick:g}" for tick in ticks]
