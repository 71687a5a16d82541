"""What the Embeddings page needs from its results: maps, names, and facts about each point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app.selection.state import Choice
from engine.foundation.result import Result

if TYPE_CHECKING:
    from engine.data import Dataset


@dataclass(frozen=True)
class Maps:
    """Maps of the same points in one or several runs."""

    coordinates: list[np.ndarray]
    """[n, 2] each."""
    labels: list[str]
    ids: np.ndarray
    points: str
    """'item' or 'user'."""
    caption: str
    table: pd.DataFrame


def maps_of(found: Mapping[tuple[str, ...], Result], choice: Choice) -> Maps | None:
    """One view of what was computed: aligned maps of all runs, or one map a run."""
    from engine.embedding import AlignedEmbeddings, Embedding

    results = list(found.values())
    single = [result for result in results if isinstance(result, Embedding)]
    if single:
        labels = [choice.labels[runs[0]] for runs in found]
        tables = [r.to_frame().assign(run=name) for r, name in zip(single, labels, strict=True)]
        caption = single[0].caption
        if len(single) > 1:
            caption += " Each run has a map of its own: compare neighbourhoods, not places."
        return Maps(
            [result.coordinates for result in single], labels, single[0].ids, single[0].points,
            caption, pd.concat(tables, ignore_index=True),
        )  # fmt: skip
    for result in results:
        if isinstance(result, AlignedEmbeddings):
            labels = choice.labels_of(choice.ids, result.labels)
            return Maps(
                list(result.coordinates), labels, result.ids, result.points, result.caption,
                result.to_frame(),
            )  # fmt: skip
    return None


def facts(dataset: Dataset, maps: Maps) -> pd.DataFrame:
    """One row a point: item (or -1), title, category, popularity, noise."""
    if maps.points == "user":
        activity = np.bincount(dataset.train.users, minlength=dataset.n_users)
        return pd.DataFrame(
            {
                "item": -1,
                "title": [f"user {i}" for i in maps.ids],
                "category": "",
                "popularity": activity[maps.ids],
                "noise": "",
            }
        )
    items = dataset.items.iloc[maps.ids]
    return pd.DataFrame(
        {
            "item": maps.ids,
            "title": items["title"].to_numpy(),
            "category": items["category"].str.split("|").str[0].to_numpy(),
            "popularity": dataset.popularity[maps.ids],
            "noise": items["noise"].to_numpy(),
        }
    )
