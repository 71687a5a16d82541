"""Shoppers who do not exist: they choose by taste in looks, by popularity and by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.foundation.seeding import numpy_generator
from scripts.sample_shop.looks import CATEGORIES, COLOURS, PATTERNS, STYLES, Look

OPENING = pd.Timestamp("2023-03-01", tz="UTC")
DAYS_OPEN = 600


@dataclass(frozen=True)
class Habits:
    """How the shoppers behave; found by trying, see the datasheet."""

    clusters: int = 24
    """Groups of shoppers who share a taste."""
    category_weight: float = 0.7
    """Spread of a cluster's liking for categories, in units of log-odds; so the next three."""
    colour_weight: float = 0.7
    pattern_weight: float = 2.0
    style_weight: float = 2.0
    individual: float = 1.0
    """Spread of one shopper's own taste, as a share of the cluster's."""
    popularity: float = 0.7
    """Mean of the exponentially spread fame of products, in units of log-odds: the long tail."""
    late_launches: float = 0.9
    """Share of products that join the shop after its opening."""
    last_launch: float = 0.85
    """When the last product joins, as a share of the time the shop is open."""
    novelty: float = 1.5
    """How much a new arrival is shown off on its first day, in units of log-odds."""
    novelty_days: float = 45.0
    """After so many days a new arrival's boost has fallen to 1/e."""
    mean_purchases: float = 20.5
    fewest_purchases: int = 8


def simulate(looks: Sequence[Look], users: int, seed: int, habits: Habits) -> pd.DataFrame:
    """Everything the shoppers bought.

    Returns columns userID, itemID, timestamp (Unix seconds, UTC), ordered by user and time. Nobody
    buys a product twice or before it is in the shop.
    """
    taste_UI = _tastes(looks, users, seed, habits)
    known_I, launch_I = _popularity(len(looks), seed, habits)
    rows: list[tuple[int, int, int]] = []
    for user in range(users):
        rng = numpy_generator(seed, "sample shop shopper", user)
        spread = rng.lognormal(-0.18, 0.6)
        count = int(np.clip(habits.mean_purchases * spread, habits.fewest_purchases, 90))
        utility_I = taste_UI[user] + known_I
        for second in _visits(count, rng):
            days_old_I = (second - launch_I) / 86_400
            boost_I = habits.novelty * np.exp(-np.clip(days_old_I, 0, None) / habits.novelty_days)
            drawn_I = utility_I + boost_I + rng.gumbel(size=len(looks))
            drawn_I[days_old_I < 0] = -np.inf
            item = int(np.argmax(drawn_I))
            utility_I[item] = -np.inf
            rows.append((user, item, int(OPENING.timestamp()) + int(second)))
    return pd.DataFrame(rows, columns=["userID", "itemID", "timestamp"])


def _tastes(looks: Sequence[Look], users: int, seed: int, habits: Habits) -> np.ndarray:
    """Log-odds of each shopper for each product from its true look, [U, I]."""
    rng = numpy_generator(seed, "sample shop tastes")
    cluster_U = rng.integers(habits.clusters, size=users)
    taste_UI = np.zeros((users, len(looks)))
    facets = (
        (
            [CATEGORIES.index(look.category) for look in looks],
            len(CATEGORIES),
            habits.category_weight,
        ),
        ([COLOURS.index(look.colour) for look in looks], len(COLOURS), habits.colour_weight),
        ([PATTERNS.index(look.pattern) for look in looks], len(PATTERNS), habits.pattern_weight),
        ([STYLES.index(look.style) for look in looks], len(STYLES), habits.style_weight),
    )
    for value_I, values, weight in facets:
        shared = rng.normal(0, weight, (habits.clusters, values))
        own = rng.normal(0, weight * habits.individual, (users, values))
        taste_UI += (shared[cluster_U] + own)[:, value_I]
    return taste_UI


def _popularity(items: int, seed: int, habits: Habits) -> tuple[np.ndarray, np.ndarray]:
    """How well known each product is (log-odds, [I]) and when it joins the shop (seconds, [I])."""
    rng = numpy_generator(seed, "sample shop popularity")
    known_I = habits.popularity * np.minimum(rng.exponential(size=items), 4.0)
    is_late_I = rng.uniform(size=items) < habits.late_launches
    launch_I = (
        np.where(is_late_I, rng.uniform(0, habits.last_launch, items), -0.3) * DAYS_OPEN * 86_400
    )
    return known_I, launch_I


def _visits(count: int, rng: np.random.Generator) -> np.ndarray:
    """Moments of ``count`` purchases, rising: a few visits, mostly in the evening, in bursts."""
    first = rng.uniform(0, 0.6)
    last = 1 - 0.9 * (1 - first) * rng.beta(1, 6)
    visits = np.sort(rng.uniform(first, last, max(4, count // 3)))
    days = np.floor(visits * DAYS_OPEN)
    hours = np.clip(rng.normal(19, 3.2, len(days)), 6, 23.5)
    start = days * 86_400 + hours * 3_600
    chosen = np.sort(rng.integers(len(start), size=count))
    moments = np.sort(start[chosen] + np.floor(rng.uniform(30, 1_500, count)))
    return moments + np.arange(count)  # no two at the same second


def split_by_time(bought: pd.DataFrame) -> pd.DataFrame:
    """``bought`` in the columns of an .inter file, with x_label 0 train, 1 valid, 2 test.

    Each shopper's last tenth (at least one purchase) is test, the tenth before it validation.
    """
    ordered = bought.sort_values(["userID", "timestamp"], kind="stable").reset_index(drop=True)
    by_user = ordered.groupby("userID")["itemID"]
    from_end = by_user.cumcount(ascending=False)
    tenth = (by_user.transform("size") * 0.1).round().clip(lower=1)
    label = np.select([from_end < tenth, from_end < 2 * tenth], [2, 1], 0)
    return ordered.assign(rating=1.0, x_label=label)[
        ["userID", "itemID", "rating", "timestamp", "x_label"]
    ]
