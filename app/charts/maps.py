"""Maps of items or users: one panel a run, coloured by what is known about each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.style import CATEGORICAL, CATEGORIES, CATEGORY_MARKERS, NEUTRAL, SEQUENTIAL, finish
from app.charts.text import chart_name

ColourBy = Literal["category", "popularity", "noise"]

HOVER_LINES = ("", "Category", "Training interactions", "Misleading")
"""What stands in a point's customdata after its item's row; '' is the title."""

MOST_CATEGORIES = 11
SIZE = 7


def embedding_maps(
    coordinates: Sequence[np.ndarray],
    labels: Sequence[str],
    about: pd.DataFrame,
    colour_by: ColourBy,
) -> go.Figure:
    """One panel for each run's map [n, 2]; WebGL, so tens of thousands of points stay fluid.

    ``about`` has one row a point, in the maps' order: id, title, category, popularity, noise, and
    ``item`` (its row in the item table, or -1).
    """
    columns = min(len(labels), 2)
    rows = -(-len(labels) // columns)
    titles = [chart_name(label) for label in labels] if len(labels) > 1 else None
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=titles,
        horizontal_spacing=0.03, vertical_spacing=0.07,
    )  # fmt: skip
    # As they are: the page's own hover card shows them as text, not as HTML.
    custom = about[["item", "title", "category", "popularity", "noise"]].to_numpy(dtype=object)
    for index, points in enumerate(coordinates):
        row, column = index // columns + 1, index % columns + 1
        for name, chosen, marker in _layers(about, colour_by):
            figure.add_trace(
                go.Scattergl(
                    x=points[chosen, 0], y=points[chosen, 1], mode="markers", name=chart_name(name),
                    legendgroup=name, showlegend=index == 0 and colour_by != "popularity",
                    customdata=custom[chosen], marker=marker,
                    hovertemplate="%{customdata[1]}<br>%{customdata[2]}<br>%{customdata[3]} "
                    "training interactions<extra></extra>",
                ),
                row=row, col=column,
            )  # fmt: skip
    hidden = {"showticklabels": False, "showgrid": False, "zeroline": False}
    finish(figure, height=90 + (620 if rows == 1 else 470 * rows))
    figure.update_xaxes(**hidden, title="")
    figure.update_yaxes(**hidden, title="", scaleanchor="x", scaleratio=1)
    for index in range(1, len(labels) + 1):
        figure.update_layout({f"yaxis{index if index > 1 else ''}": {
            "scaleanchor": f"x{index if index > 1 else ''}"}})  # fmt: skip
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "colorbar": {"title": {"text": "training interactions<br>(log10 of 1 + n)"},
                         "thickness": 14},
        },
        legend={"itemsizing": "constant", "y": 1.04 if rows > 1 else 1.02},
        margin={"t": 90},
    )  # fmt: skip
    return figure


def _layers(
    about: pd.DataFrame, colour_by: ColourBy
) -> list[tuple[str, np.ndarray, dict[str, object]]]:
    """What is drawn with one look: its name, which points, and their marker."""
    if colour_by == "popularity":
        values = np.log10(1 + about["popularity"].to_numpy(dtype=float))
        marker: dict[str, object] = {"color": values, "coloraxis": "coloraxis", "size": SIZE}
        return [("popularity", np.ones(len(about), dtype=bool), marker)]
    if colour_by == "noise":
        flagged = (about["noise"] != "").to_numpy(dtype=bool)
        plain = {"color": NEUTRAL, "size": SIZE - 1, "opacity": 0.55}
        marked = {"color": CATEGORICAL[1], "size": SIZE + 3, "symbol": "diamond"}
        return [("as labelled", ~flagged, plain), ("misleading on purpose", flagged, marked)]
    categories = about["category"].where(about["category"] != "", "unknown")
    largest = list(categories.value_counts().index[:MOST_CATEGORIES])
    layers = []
    for index, name in enumerate(sorted(largest)):
        turn, place = divmod(index, len(CATEGORIES))
        symbol = CATEGORY_MARKERS[(place + turn) % len(CATEGORY_MARKERS)]
        chosen = (categories == name).to_numpy(dtype=bool)
        marker = {"color": CATEGORIES[place], "symbol": symbol, "size": SIZE}
        layers.append((str(name), chosen, marker))
    rest = (~categories.isin(largest)).to_numpy(dtype=bool)
    if rest.any():
        marker = {"color": NEUTRAL, "size": SIZE - 1, "opacity": 0.5}
        layers.append(("other", rest, marker))
    return layers
