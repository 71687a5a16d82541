"""The layout of AMR's released data.

A folder with

- ``pos.txt``: ``user item`` a line, ids from 0, the training interactions;
- ``neg.txt``: row u holds user u's held-out item, then the items it is ranked against; all rows are
  equally long. The held-out items become the test; Basin draws its own negatives;
- ``f_<cnn>.npy`` (one, optional): image features [n_items, width].

There is no validation set in this layout, so one training interaction of each user who has two or
more is held out for it, drawn with ``seed``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.columns import check_ids, read_whole_numbers
from engine.data.readers.parsing.feature_files import read_features
from engine.data.readers.parsing.item_tables import described
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import TEST, TRAIN, VALID, LabelSplit, LeaveOneOutSplit, split_labels
from engine.foundation.errors import DataError

LOOKS_FOR = "pos.txt and neg.txt"


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

    split = options.split or LabelSplit()
    drawn = split_labels(train_users, LeaveOneOutSplit(order="random", seed=options.seed))
    labels = np.where(drawn == TEST, VALID, TRAIN)
    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=np.concatenate([train_users, np.arange(n_users)]),
        items=np.concatenate([train_items, held_out[:, 0]]),
        n_users=n_users,
        n_items=n_items,
        split=split,
        labels=np.concatenate([labels, np.full(n_users, TEST)]).astype(np.int8),
        features=features,
        table=described(
            pd.DataFrame(index=range(n_items)), [str(i) for i in range(n_items)], folder
        ),
        notes=[
            f"neg.txt's {held_out.shape[1] - 1} negatives a user are not used; Basin ranks all "
            "items or draws its own.",
        ],
    )
