"""The layout of AMR's released data.

A folder with

- ``pos.txt``: ``user item`` a line, ids from 0, the training interactions;
- ``neg.txt``: row u holds user u's held-out item, then the items it is ranked against; all rows are
  equally long. The held-out items become the test; ``released_negatives`` gives the others;
- ``f_<cnn>.npy`` (one, optional): image features [n_items, width].

There is no validation set in this layout. ``valid`` says where it comes from: 'leave_one_out' (the
default) holds out one training interaction of each user who has two or more, 'ratio' a tenth of
each user's, both drawn with ``seed``; 'none' trains on all of them, as AMR's authors do, for a
fixed number of epochs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.feature_files import read_features
from engine.data.readers.parsing.folder_files import unread_files
from engine.data.readers.parsing.item_tables import complete_item_table
from engine.data.readers.parsing.whole_numbers import check_ids, dense_ids, read_whole_numbers
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import (
    TEST,
    TRAIN,
    VALID,
    LabelSplit,
    LeaveOneOutSplit,
    RandomSplit,
    split_labels,
)
from engine.foundation.errors import DataError

LOOKS_FOR = "pos.txt and neg.txt"
VALID_SHARE = 0.1
"""Share of each user's training interactions that ``valid='ratio'`` holds out."""


def recognise(path: Path) -> bool:
    """Whether the folder has both interaction files of this layout."""
    return (path / "pos.txt").is_file() and (path / "neg.txt").is_file()


def read(folder: Path, options: ReadOptions) -> Dataset:
    """Read a folder of this layout.

    Raises DataError naming the file and line of what does not fit.
    """
    positive_file, negative_file = folder / "pos.txt", folder / "neg.txt"
    positives = read_whole_numbers(positive_file, r"\s+").to_numpy()
    if positives.shape[1] != 2:
        raise DataError(
            f"{positive_file}, line 1: {positives.shape[1]} fields were found; two are needed, "
            "user and item."
        )
    held_out = read_whole_numbers(negative_file, r"\s+").to_numpy()
    train_users, train_items = positives.T
    n_users = len(held_out)
    check_ids(positive_file, "user", train_users, n_users, 0, f" (neg.txt has {n_users} rows)")

    features, n_items, why = {}, None, ""
    feature_files = sorted(folder.glob("f_*.npy"))
    if len(feature_files) > 1:
        raise DataError(
            f"{folder} has {len(feature_files)} feature files "
            f"({', '.join(f.name for f in feature_files)}); keep the one to use."
        )
    if feature_files:
        features["image"] = read_features(feature_files[0], options.memory_map)
        n_items = len(features["image"])
        why = f" ({feature_files[0].name} has {n_items} rows)"
    n_items = max(
        check_ids(positive_file, "item", train_items, n_items, 0, why),
        check_ids(
            negative_file, "item", held_out.ravel(), n_items, 0, why, ids_a_line=held_out.shape[1]
        ),
    )
    notes: list[str] = []
    items, item_ids = np.concatenate([train_items, held_out[:, 0]]), np.arange(n_items)
    if not feature_files:
        every_id = np.concatenate([train_items, held_out.ravel()])
        _, item_ids, notes = dense_ids(every_id, "item")
        items = np.searchsorted(item_ids, items)

    labels, validation = _validation(train_users, options)
    notes.append(
        f"neg.txt's {held_out.shape[1] - 1} negatives a user rank nothing unless evaluation asks "
        "for them (--negatives released)."
    )
    notes += unread_files(folder, [positive_file, negative_file, *feature_files], "f_<cnn>.npy")
    item_labels = [str(i) for i in item_ids]
    table = pd.DataFrame({"title": [f"item {label}" for label in item_labels]})
    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=np.concatenate([train_users, np.arange(n_users)]),
        items=items,
        n_users=n_users,
        n_items=len(item_ids),
        split=options.split or LabelSplit(),
        split_note="Split: pos.txt is train, the first item of each line of neg.txt is test; "
        f"validation: {validation}."
        if options.split is None
        else "",
        labels=np.concatenate([labels, np.full(n_users, TEST)]).astype(np.int8),
        features=features,
        table=complete_item_table(table, item_labels, folder, notes).assign(item_id=item_labels),
        notes=notes,
    )


def released_negatives(folder: Path, dataset: Dataset) -> np.ndarray:
    """The items that neg.txt ranks each user's held-out item against: item numbers of the dataset,
    int64 [n_users, N].

    Raises DataError where the dataset was not read from this folder with the released split.
    """
    path = folder / "neg.txt"
    if not recognise(folder):
        raise DataError(f"{folder} has no released negatives; only AMR folders (neg.txt) have.")
    rows = read_whole_numbers(path, r"\s+").to_numpy()
    if rows.shape[1] < 2:
        raise DataError(f"{path} has no negatives: each line holds the held-out item alone.")
    item_ids = dataset.items["item_id"].to_numpy(dtype=np.int64)  # sorted
    items = np.minimum(np.searchsorted(item_ids, rows), len(item_ids) - 1)
    test = dataset.test
    is_same = (item_ids[items] == rows).all() and len(rows) == dataset.n_users
    if not is_same or not np.array_equal(items[test.users, 0], test.items):
        raise DataError(
            f"{path} holds out other items than the test split of '{dataset.name}'; read the "
            "folder without --split to rank against its negatives."
        )
    return items[:, 1:]


def _validation(users: np.ndarray, options: ReadOptions) -> tuple[np.ndarray, str]:
    """Train or valid of each training interaction, and where validation comes from."""
    if options.split is not None:
        if options.valid is not None:
            raise DataError(
                f"--valid {options.valid} has no use beside --split {options.split.name}, which "
                "makes its own validation set; leave one of them out."
            )
        return np.full(len(users), TRAIN), ""
    seed = options.drawn_with
    if options.valid == "none":
        if options.seed is not None:
            raise DataError(
                "a seed has no use with --valid none, which draws nothing; leave it out."
            )
        return np.full(
            len(users), TRAIN
        ), "none, so train for a fixed number of epochs (keep_last_epoch)"
    if options.valid == "ratio":
        drawn = split_labels(users, RandomSplit(valid_share=0.0, test_share=VALID_SHARE, seed=seed))
        how = f"a random {VALID_SHARE:.0%} of each user's training interactions (seed {seed})"
    else:
        drawn = split_labels(users, LeaveOneOutSplit(order="random", seed=seed))
        how = f"one random training interaction of each user who has two or more (seed {seed})"
    return np.where(drawn == TEST, VALID, TRAIN), how
