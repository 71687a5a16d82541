"""Groups of items for which a breakdown is given: popular and tail, categories, misleading ones."""

from __future__ import annotations

import numpy as np

from engine.data import Dataset

POPULAR_SHARE = 0.2
"""The most popular fifth of the items counts as popular, the rest as tail."""
MOST_CATEGORIES = 12


def item_groups(dataset: Dataset) -> dict[str, np.ndarray]:
    """Item ids by group name; groups overlap. Empty groups are left out.

    ``popular``: the fifth of the items with most training interactions (ties by id); ``tail``: the
    others; ``category: X``: the most frequent categories; ``noise-flagged``: items whose picture or
    text is known to mislead, and ``not flagged`` beside them.
    """
    order = np.argsort(-dataset.popularity, kind="stable")
    n_popular = max(1, round(POPULAR_SHARE * dataset.n_items))
    groups = {"popular": np.sort(order[:n_popular]), "tail": np.sort(order[n_popular:])}
    categories = dataset.items["category"].to_numpy(dtype=str)
    names, counts = np.unique(categories[categories != ""], return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES]:
        groups[f"category: {name}"] = np.flatnonzero(categories == name)
    is_flagged = dataset.items["noise"].to_numpy(dtype=str) != ""
    if is_flagged.any():
        groups["noise-flagged"] = np.flatnonzero(is_flagged)
        groups["not flagged"] = np.flatnonzero(~is_flagged)
    return {name: items for name, items in groups.items() if len(items)}
