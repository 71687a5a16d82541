"""Whose features an item gets, and in which order items are hit; shared by mixing and swapping."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.foundation.seeding import numpy_generator

Within = Literal["any", "same", "other"]


def donors_of(
    n_items: int, categories: np.ndarray, within: Within, seed: int, draw: int
) -> np.ndarray:
    """Another item for every item, int64 [I]: of any, the same, or another category.

    Each draw deals the items out without repetition where it can: along one random cycle (any), or
    along one cycle in each category (same). An item without a possible donor is its own.
    """
    generator = numpy_generator(seed, f"donors {within}", draw)
    order = generator.permutation(n_items)
    donors = np.arange(n_items)
    if within == "any":
        donors[order] = np.roll(order, 1)
        return donors
    labels = categories[order]
    if within == "same":
        for label in np.unique(labels):
            members = order[labels == label]
            donors[members] = np.roll(members, 1)
        return donors
    # Sorted by category, a shift by the largest category's size leaves every category; where one
    # category holds more than half of the items, some of its items wrap into it and are redrawn.
    by_category = order[np.argsort(labels, kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    donors[by_category] = np.roll(by_category, int(counts.max()))
    for item in np.flatnonzero(categories[donors] == categories):
        others = np.flatnonzero(categories != categories[item])
        donors[item] = generator.choice(others) if len(others) else item
    return donors


def hit_thresholds(n_items: int, seed: int, draw: int) -> np.ndarray:
    """The share at which each item is hit, float64 [I]: a random order, so sets nest by share.

    At share s exactly round(s * n) items are hit, whatever their order.
    """
    order = numpy_generator(seed, "order of hits", draw).permutation(n_items)
    thresholds = np.empty(n_items)
    thresholds[order] = (np.arange(n_items) + 0.5) / n_items
    return thresholds
