"""Largest relative changes of flatness measures under rewritings of the factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from app.charts.style import finish

if TYPE_CHECKING:
    from engine.geometry import Symmetry

FLOOR = 1e-5
"""Changes below count as it: rounding."""


def changes_by_transformation(symmetry: Symmetry) -> go.Figure:
    """A table of coloured cells: measures by transformations, on a logarithmic scale.

    Measures that may be compared are marked in bold.
    """
    from engine.geometry import title_of

    changes = symmetry.largest_changes
    kinds = list(next(iter(changes.values()), {}))
    values = np.array([[row[kind] for kind in kinds] for row in changes.values()])
    texts = [[f"{x:.1%}" if x < 1 else f"×{1 + x:.3g}" for x in row] for row in values]
    names = [
        f"<b>{title_of(name)}</b>" if name in symmetry.comparable else title_of(name)
        for name in changes
    ]
    figure = go.Figure(
        go.Heatmap(
            z=np.log10(np.maximum(np.nan_to_num(values, posinf=1e3), FLOOR)),
            x=kinds, y=names, text=texts, texttemplate="%{text}", zmin=-4, zmax=1,
            colorscale="Blues", showscale=False,
            hovertemplate="%{y} under %{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(side="top")
    return finish(figure, height=110 + 30 * len(names), legend=False)
