"""The layout of MMRec and Mirror Gradient (MG).

A folder with

- ``<folder>.inter`` (or exactly one ``*.inter``): tab-separated with a header; the columns
  ``userID``, ``itemID`` (whole numbers from 0) and ``x_label`` (0 train, 1 valid, 2 test) are
  needed, ``timestamp`` only by splits that order by time, ``rating`` only by a minimum rating;
- ``image_feat.npy`` and ``text_feat.npy`` [n_items, width], either or both may be absent;
- ``items.csv`` (optional) with ``itemID`` and any of title, description or overview, category or
  genres, image_path, noise; other columns are kept;
- ``images/<itemID>.jpg`` (optional).

Users are those that occur; items those that features or ``items.csv`` name, else those that occur.
``Dataset.items["item_id"]`` keeps the id of the file. Pickled files of that layout
(``user_graph_dict.npy``, ``*.pt``) are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.feature_files import check_rows, feature_files, read_features
from engine.data.readers.parsing.folder_files import unread_files
from engine.data.readers.parsing.item_tables import complete_item_table, numbered_items
from engine.data.readers.parsing.raw_ids import numbers, rated_at_least, unused_ratings
from engine.data.readers.parsing.table_files import Table, read_table
from engine.data.readers.parsing.text_files import (
    columns_shown,
    header_of,
    line_of_row,
    other_separator,
)
from engine.data.readers.parsing.times import times
from engine.data.readers.parsing.whole_numbers import check_ids, dense_ids, read_whole_numbers
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import LabelSplit, needs_time
from engine.foundation.errors import DataError

LOOKS_FOR = "<folder>.inter, or exactly one *.inter"


def recognise(path: Path) -> bool:
    """Whether the folder has an interaction file of this layout."""
    return path.is_dir() and _interaction_file(path) is not None


def _interaction_file(folder: Path) -> Path | None:
    named = folder / f"{folder.resolve().name}.inter"
    if named.is_file():
        return named
    candidates = [path for path in folder.glob("*.inter") if path.is_file()]
    return candidates[0] if len(candidates) == 1 else None


def read(folder: Path, options: ReadOptions) -> Dataset:
    """Read a folder of this layout; the file's own split unless options ask for another.

    Raises DataError naming the file and line of what does not fit.
    """
    path = _interaction_file(folder)
    assert path is not None  # recognised
    split = options.split or LabelSplit()
    options.check_seed(split)
    columns = ["userID", "itemID"] + ["x_label"] * (split.name == "label")
    header = header_of(path, "\t")
    _check_header(path, header, columns, options)
    extra = [c for c in ("rating", "timestamp") if c in header]
    table = read_whole_numbers(path, "\t", columns, extra)
    users, items = table["userID"].to_numpy(), table["itemID"].to_numpy()
    labels = table["x_label"].to_numpy() if "x_label" in table else None
    if labels is not None and len(bad := np.flatnonzero((labels < 0) | (labels > 2))):
        raise DataError(
            f"{path}, line {line_of_row(path, int(bad[0]), 1)}: x_label is {labels[bad[0]]}; "
            "allowed are 0 (train), 1 (valid) and 2 (test)."
        )

    files = feature_files(folder, "_feat.npy")
    features = {m: read_features(file, options.memory_map) for m, file in files.items()}
    n_items = check_rows(features, files, None, "")
    why = f" ({next(iter(files.values())).name} has {n_items} rows)" if files else ""
    items_file = folder / "items.csv"
    item_rows = (
        read_table(items_file, lambda names: "itemID" in names) if items_file.is_file() else None
    )
    if item_rows is not None and n_items is None:
        n_items, why = len(item_rows.frame), f" (items.csv has {len(item_rows.frame)} rows)"
    notes: list[str] = []
    items_are_named = n_items is not None
    n_items = check_ids(path, "itemID", items, n_items, 1, why)
    check_ids(path, "userID", users, None, 1)

    def place(row: int) -> str:
        return f"{path}, line {line_of_row(path, row, 1)}"

    rows = np.ones(len(table), dtype=bool)
    if options.min_rating is not None:
        ratings = numbers(table["rating"], "rating", place)
        rows, notes = rated_at_least(ratings, options.min_rating, table["userID"], str(path))
    elif "rating" in table:
        notes = unused_ratings(table["rating"])
    time = None
    if needs_time(split) and "timestamp" in table:
        time = times(table["timestamp"], "timestamp", place, notes)[rows]
    users, _, user_notes = dense_ids(users[rows], "user")
    items, item_ids = items[rows], np.arange(n_items)
    notes += user_notes
    if not items_are_named:
        items, item_ids, item_notes = dense_ids(items, "item")
        notes += item_notes
    notes += unread_files(
        folder, [path, items_file, *files.values()], "image_feat.npy and text_feat.npy"
    )
    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=users,
        items=items,
        n_users=int(users.max()) + 1,
        n_items=len(item_ids),
        split=split,
        split_column="x_label" if split.name == "label" else "timestamp",
        timestamps=time,
        labels=labels[rows] if labels is not None else None,
        features=features,
        table=_item_table(items_file, item_rows, item_ids, notes),
        notes=notes,
    )


def _check_header(
    path: Path, header: Sequence[str], columns: Sequence[str], options: ReadOptions
) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        hint = other_separator(header[0], "\t") if len(header) == 1 else ""
        raise DataError(
            f"{path}, line 1: the header is {columns_shown(header)}; {', '.join(missing)} is "
            f"missing. Needed are {', '.join(columns)}, separated by tabs{hint}. A file without "
            "x_label can be read with a random split."
        )
    if options.min_rating is not None and "rating" not in header:
        raise DataError(
            f"{path} has no column rating, so a minimum of {options.min_rating:g} cannot be asked "
            "for; leave the minimum out."
        )


def _item_table(
    path: Path, table: Table | None, item_ids: np.ndarray, notes: list[str]
) -> pd.DataFrame:
    labels = [str(i) for i in item_ids]
    if table is None:
        frame = pd.DataFrame({"title": [f"item {label}" for label in labels]})
    elif "itemID" not in table.frame:
        raise DataError(
            f"{path} has the columns {columns_shown(list(table.frame.columns))}; itemID is missing."
        )
    else:
        notes += table.notes
        frame = table.frame
        frame = frame.iloc[numbered_items(path, frame, "itemID", len(labels))]
    return complete_item_table(frame, labels, path.parent, notes).assign(item_id=labels)
