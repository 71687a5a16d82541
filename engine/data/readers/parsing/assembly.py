"""The last steps every reader shares: no pair twice, split, no user that training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.data.dataset import SPLITS, Dataset, Interactions
from engine.data.splits import TRAIN, SplitConfig, describe_split, needs_time, split_labels


def build_dataset(
    *,
    name: str,
    source: str,
    users: np.ndarray,
    items: np.ndarray,
    n_users: int,
    n_items: int,
    split: SplitConfig,
    split_column: str = "",
    split_note: str = "",
    timestamps: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    features: Mapping[str, np.ndarray],
    table: pd.DataFrame,
    notes: Sequence[str] = (),
) -> Dataset:
    """A Dataset from N raw interactions with dense ids; everything dropped is noted.

    The first note says how the interactions were split: ``split_note``, or a sentence that names
    ``split_column``, the column of labels or times. A pair that is there more than once is kept
    once: in the earliest split where the file gives the split (a pair known from training is masked
    when ranking, so it could never be found in the test), at its earliest time where time orders,
    else at its first row. Then users without a training interaction leave valid and test. Raises
    DataError as Dataset and split_labels do.
    """
    uses_column = split.name == "label" or needs_time(split)
    made = split_note or describe_split(split, split_column if uses_column else "")
    notes = [made, *notes]
    rank = labels if split.name == "label" else timestamps if needs_time(split) else None
    first_rows = _first_of_each_pair(users * n_items + items, rank)
    if len(first_rows) < len(users):
        n_dropped = len(users) - len(first_rows)
        where = "the earliest split (train, then valid, then test)"
        if split.name != "label":
            where = "its first occurrence"
        notes.append(f"{n_dropped} repeated pairs of user and item were dropped; {where} is kept.")
        users, items = users[first_rows], items[first_rows]
        timestamps = timestamps[first_rows] if timestamps is not None else None
        labels = labels[first_rows] if labels is not None else None

    labels = split_labels(users, split, timestamps, labels, source)
    is_trained = np.zeros(n_users, dtype=bool)
    is_trained[users[labels == TRAIN]] = True
    is_known = is_trained[users]
    if not is_known.all():
        n_lost_users = len(np.unique(users[~is_known]))
        lost = [f"{int((labels[~is_known] == k).sum())} {SPLITS[k]}" for k in (1, 2)]
        notes.append(
            f"{n_lost_users} users have no training interaction; their {' and '.join(lost)} "
            "interactions were dropped."
        )
    n_cold = n_items - len(np.unique(items[is_known & (labels == TRAIN)]))
    if n_cold:
        notes.append(f"{n_cold} of {n_items} items have no training interaction (cold items).")
    splits = {
        split_name: Interactions(users[chosen], items[chosen])
        for k, split_name in enumerate(SPLITS)
        for chosen in [(labels == k) & is_known]
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
