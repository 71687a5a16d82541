"""The last steps every reader shares: no pair twice, split, no user that training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.data.dataset import SPLITS, Dataset, Interactions
from engine.data.splits import TRAIN, SplitConfig, needs_time, split_labels


def build_dataset(
    *,
    name: str,
    source: str,
    users: np.ndarray,
    items: np.ndarray,
    n_users: int,
    n_items: int,
    split: SplitConfig,
    timestamps: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    features: Mapping[str, np.ndarray],
    table: pd.DataFrame,
    notes: Sequence[str] = (),
) -> Dataset:
    """A Dataset from N raw interactions with dense ids; everything dropped is noted.

    A pair that is there more than once is kept once: in the earliest split where the file gives
    the split (a pair known from training is masked when ranking, so it could never be found in the
    test), at its earliest time where time orders, else at its first row. Then users without a
    training interaction leave valid and test. Raises DataError as Dataset and split_labels do.
    """
    notes = list(notes)
    rank = labels if split.name == "label" else timestamps if needs_time(split) else None
    kept = _first_of_each_pair(users * n_items + items, rank)
    if len(kept) < len(users):
        n_dropped = len(users) - len(kept)
        where = "the earliest split (train, then valid, then test)"
        if split.name != "label":
            where = "its first occurrence"
        notes.append(f"{n_dropped} repeated pairs of user and item were dropped; {where} is kept.")
        users, items = users[kept], items[kept]
        timestamps = timestamps[kept] if timestamps is not None else None
        labels = labels[kept] if labels is not None else None

    labels = split_labels(users, split, timestamps, labels, source)
    is_trained = np.zeros(n_users, dtype=bool)
    is_trained[users[labels == TRAIN]] = True
    known = is_trained[users]
    if not known.all():
        n_lost_users = len(np.unique(users[~known]))
        lost = [f"{int((labels[~known] == k).sum())} {SPLITS[k]}" for k in (1, 2)]
        notes.append(
            f"{n_lost_users} users have no training interaction; their {' and '.join(lost)} "
            "interactions were dropped."
        )
    splits = {
        split_name: Interactions(users[chosen], items[chosen])
        for k, split_name in enumerate(SPLITS)
        for chosen in [(labels == k) & known]
    }
    return Dataset(
        name=name,
        n_users=n_users,
        n_items=n_items,
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        features=features,
        items=table,
        source=source,
        notes=tuple(notes),
    )


def _first_of_each_pair(keys: np.ndarray, rank: np.ndarray | None) -> np.ndarray:
    """Rows of the first of each equal key (lowest rank, then first row), in row order."""
    order = np.lexsort((keys,) if rank is None else (rank, keys))  # stable
    sorted_keys = keys[order]
    is_first = np.ones(len(keys), dtype=bool)
    is_first[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return np.sort(order[is_first])
