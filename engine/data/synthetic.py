"""Datasets made up to any size: long tails, and tastes that live in the features."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from engine.data.dataset import SPLITS, Dataset, Interactions
from engine.data.splits import RandomSplit, SplitConfig, describe_split, needs_time, split_labels
from engine.foundation.errors import DataError
from engine.foundation.seeding import numpy_generator

LATENT_WIDTH = 16
MAX_BYTES = 4 * 2**30
"""Synthetic data whose estimated memory is larger are refused."""
FAVOURITE_SHARE, SECOND_SHARE = 0.65, 0.25
"""Share of a user's draws from the favourite and the second cluster; the rest is popularity."""

SPEC_KEYS = {
    "users": "n_users",
    "items": "n_items",
    "interactions": "n_interactions",
    "image": "image_width",
    "text": "text_width",
    "audio": "audio_width",
    "seed": "seed",
    "clusters": "n_clusters",
}


def synthetic_from_spec(
    spec: str, split: SplitConfig | None = None, source: str | None = None
) -> Dataset:
    """Make the dataset of a line as ``synthetic:users=200,items=100,interactions=3000,seed=0``.

    The keys are those of SPEC_KEYS; without any, 200 users, 100 items and 3,000 interactions.
    ``source`` is what ``Dataset.source`` says, None the line itself. Raises DataError for an
    unknown key or a value that is not a whole number.
    """
    values = {"n_users": 200, "n_items": 100, "n_interactions": 3000}
    for part in filter(None, spec.partition(":")[2].split(",")):
        key, _, value = (text.strip() for text in part.partition("="))
        if key not in SPEC_KEYS or not re.fullmatch(r"[0-9]{1,18}", value):
            raise DataError(
                f"'{spec[:120]}': '{part[:40]}' is not understood; allowed are "
                f"{', '.join(SPEC_KEYS)}, each followed by '=' and a whole number."
            )
        values[SPEC_KEYS[key]] = int(value)
    return synthetic(**values, split=split, source=source or spec)


def synthetic(
    n_users: int,
    n_items: int,
    n_interactions: int,
    image_width: int = 64,
    text_width: int = 32,
    seed: int = 0,
    n_clusters: int | None = None,
    *,
    audio_width: int = 0,
    split: SplitConfig | None = None,
    source: str = "synthetic",
) -> Dataset:
    """Make a dataset with exactly ``n_interactions`` distinct pairs of user and item.

    Items belong to clusters, users like one cluster most and another a little; popularity of items
    and activity of users have long tails. Features [n_items, width], float32, are a linear map of
    an item's latent position around its cluster's centre plus noise, so a model that sees them can
    learn tastes; a width of 0 leaves the modality out. ``split`` None holds out a random tenth of
    each user's interactions for valid and as much for test, at least one each where a user has
    three or more; users have five or more, as in 5-core data, where the counts allow. Equal
    arguments give equal data.

    Raises DataError where more pairs are wanted than there are, or a number is out of range.
    """
    widths = {"image": image_width, "text": text_width, "audio": audio_width}
    _check(n_users, n_items, n_interactions, widths, seed, n_clusters)
    if n_clusters is None:
        n_clusters = max(1, min(24, n_items // 8))
    generator = numpy_generator(seed, "synthetic")
    item_cluster = generator.permutation(np.arange(n_items) % n_clusters)
    quota = _user_activity(generator, n_users, n_items, n_interactions)
    users, items = _interactions(generator, quota, item_cluster, n_clusters)

    split = split or RandomSplit(seed=seed)
    if split.name == "label" or needs_time(split):
        raise DataError(
            f"'{source}': synthetic interactions have neither labels nor times; choose a random "
            "split."
        )
    labels = split_labels(users, split)
    splits = {
        name: Interactions(users[labels == k], items[labels == k]) for k, name in enumerate(SPLITS)
    }

    centres = generator.standard_normal((n_clusters, LATENT_WIDTH), dtype=np.float32)
    spread = generator.standard_normal((n_items, LATENT_WIDTH), dtype=np.float32)
    latent = centres[item_cluster] + 0.4 * spread
    features = {m: _features(generator, latent, width) for m, width in widths.items() if width}
    table = pd.DataFrame(
        {
            "title": [f"item {i}" for i in range(n_items)],
            "description": [f"a made-up item of cluster {c}" for c in item_cluster],
            "category": [f"cluster {c}" for c in item_cluster],
        }
    )
    return Dataset(
        name=f"synthetic-{n_users}x{n_items}",
        n_users=n_users,
        n_items=n_items,
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        features=features,
        items=table,
        source=source,
        notes=(
            describe_split(split),
            "Made up by Basin: no person ever chose any of these items.",
        ),
    )


def _check(
    n_users: int,
    n_items: int,
    n_interactions: int,
    widths: dict[str, int],
    seed: int,
    n_clusters: int | None,
) -> None:
    limits = {
        "n_users": (n_users, 1, None),
        "n_items": (n_items, 2, None),
        "n_interactions": (n_interactions, 1, n_users * n_items),
        **{f"{m}_width": (width, 0, None) for m, width in widths.items()},
        "seed": (seed, 0, None),
        "n_clusters": (1 if n_clusters is None else n_clusters, 1, n_items),
    }
    for what, (value, low, high) in limits.items():
        if value < low or (high is not None and value > high):
            allowed = f"{low} or more" if high is None else f"{low} to {high}"
            raise DataError(
                f"synthetic data of {n_users} users and {n_items} items: {what} is {value}; "
                f"{allowed} is allowed."
            )
    n_bytes = estimated_bytes(n_users, n_items, n_interactions, sum(widths.values()))
    if n_bytes > MAX_BYTES:
        raise DataError(
            f"synthetic data of {n_users} users, {n_items} items and {n_interactions} interactions "
            f"with features {sum(widths.values())} wide take about {n_bytes / 2**30:,.1f} GiB of "
            f"memory; at most {MAX_BYTES / 2**30:g} GiB are allowed. Ask for fewer."
        )


def estimated_bytes(n_users: int, n_items: int, n_interactions: int, width: int) -> int:
    """Memory that making such data takes, in bytes: float32 features, ids while drawing, texts.

    ``width`` is that of all modalities together.
    """
    features = 4 * n_items * (width + 2 * LATENT_WIDTH)
    return features + 500 * n_items + 50 * n_users + 200 * n_interactions


def _user_activity(
    generator: np.random.Generator, n_users: int, n_items: int, n_interactions: int
) -> np.ndarray:
    """How many interactions each user has, int64 [n_users]: log-normal, summing exactly."""
    least = min(5, n_interactions // n_users, n_items)
    quota = np.full(n_users, least, dtype=np.int64)
    weight = generator.lognormal(0.0, 1.0, n_users)
    while (rest := n_interactions - int(quota.sum())) > 0:
        room = n_items - quota
        weight = np.where(room > 0, weight, 0.0)
        share = generator.multinomial(rest, weight / weight.sum())
        quota += np.minimum(share, room)
    return quota


def _interactions(
    generator: np.random.Generator, quota: np.ndarray, item_cluster: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs, ``quota[u]`` of each user u, sorted by user: int64 [N] and int64 [N].

    Each round draws for all users at once and keeps the first new items up to the quota; the few
    users left after some rounds, who know nearly all they like, are filled one by one.
    """
    n_users, n_items = len(quota), len(item_cluster)
    popularity = (np.arange(n_items) + 5.0) ** -0.8
    by_cluster = np.argsort(item_cluster, kind="stable")  # which item is popular is random already
    heights = np.concatenate([[0.0], np.cumsum(generator.permutation(popularity))])
    edges = np.searchsorted(item_cluster[by_cluster], np.arange(n_clusters + 1))
    low, high = heights[edges[:-1]], heights[edges[1:]]
    favourite = generator.integers(n_clusters, size=n_users)
    second = generator.integers(n_clusters, size=n_users)

    keys = np.empty(0, dtype=np.int64)
    for _ in range(8):
        missing = quota - np.bincount(keys // n_items, minlength=n_users)
        if not missing.any():
            break
        drawers = np.repeat(
            np.arange(n_users), np.where(missing > 0, missing + missing // 2 + 1, 0)
        )
        kind = generator.random(len(drawers))
        cluster = np.where(kind < FAVOURITE_SHARE, favourite[drawers], second[drawers])
        from_all = kind >= FAVOURITE_SHARE + SECOND_SHARE
        bottom = np.where(from_all, 0.0, low[cluster])
        top = np.where(from_all, heights[-1], high[cluster])
        height = bottom + (top - bottom) * generator.random(len(drawers))
        place = np.searchsorted(heights, height, side="right") - 1
        drawn = drawers * n_items + by_cluster[np.minimum(place, n_items - 1)]
        keys = _first_distinct(np.concatenate([keys, drawn]), quota, n_items)

    missing = quota - np.bincount(keys // n_items, minlength=n_users)
    weight = np.empty(n_items)
    weight[by_cluster] = np.diff(heights)
    filled = [keys]
    starts = np.searchsorted(keys, np.arange(n_users + 1) * n_items)
    for user in np.flatnonzero(missing):
        free = weight.copy()
        free[keys[starts[user] : starts[user + 1]] - user * n_items] = 0.0
        more = generator.choice(n_items, missing[user], replace=False, p=free / free.sum())
        filled.append(user * n_items + more)
    keys = np.sort(np.concatenate(filled))
    return keys // n_items, keys % n_items


def _first_distinct(keys: np.ndarray, quota: np.ndarray, n_items: int) -> np.ndarray:
    """Distinct keys, sorted; each user keeps the first ``quota[u]`` in order of arrival."""
    distinct, arrival = np.unique(keys, return_index=True)
    users = distinct // n_items
    order = np.lexsort((arrival, users))
    starts = np.searchsorted(users, np.arange(len(quota)))
    rank = np.arange(len(users)) - starts[users]  # users stay sorted under this order
    return np.sort(distinct[order[rank < quota[users]]])


def _features(generator: np.random.Generator, latent: np.ndarray, width: int) -> np.ndarray:
    """Features [n_items, width] that show the latent positions through a random map, with noise."""
    scale = np.float32(1 / np.sqrt(LATENT_WIDTH))
    mixing = generator.standard_normal((LATENT_WIDTH, width), dtype=np.float32) * scale
    x = generator.standard_normal((len(latent), width), dtype=np.float32)
    for start in range(0, len(x), 4096):
        rows = slice(start, start + 4096)
        x[rows] *= np.float32(0.5)
        x[rows] += latent[rows] @ mixing
    return x
