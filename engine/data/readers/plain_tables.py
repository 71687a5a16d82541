"""Plain tables.

Either one file of interactions (``.csv``, ``.tsv`` or ``.parquet``), or a folder with

- ``interactions.csv|tsv|parquet``: columns ``user``, ``item`` and optionally ``rating``,
  ``timestamp`` (number or ISO date) and ``split`` (train, valid, test, or 0, 1, 2). Also understood
  are ``user_id``, ``userID``, ``item_id``, ``itemID``, well-known names of times (``time``,
  ``date``, ``event_time``, ...) and ``x_label``; other columns are named in a note;
- ``items.csv|tsv|parquet`` (optional): column ``item`` and any of title, description or overview,
  category or genres, image_path, noise; other columns are kept; feature columns are ``image_0``,
  ``image_1``, ... and ``text_0``, ..., or lists in Parquet columns ``image`` and ``text``;
- ``image_feat.npy`` and ``text_feat.npy`` [n_items, width] (optional): row r belongs to row r of
  the item table; without one, the item ids must be numbers from 0 that name the rows;
- ``images/<item>.jpg`` (optional).

Ids may be any text or number. Users are numbered in sorted order; items too, or in the order of
the item table; ``Dataset.items["item_id"]`` keeps the raw id. Without a wish for a split, the
file's own is taken, else by each user's time, else at random.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.column_names import (
    NAMES,
    find_columns,
    is_interaction_header,
    is_item_header,
    unread_columns,
)
from engine.data.readers.parsing.feature_columns import features_in_columns
from engine.data.readers.parsing.feature_files import check_rows, feature_files, read_features
from engine.data.readers.parsing.folder_files import unread_files
from engine.data.readers.parsing.item_tables import complete_item_table
from engine.data.readers.parsing.raw_ids import (
    Place,
    id_texts,
    number_ids,
    numbers,
    rated_at_least,
    unused_ratings,
)
from engine.data.readers.parsing.table_files import ENDINGS, read_table, table_files
from engine.data.readers.parsing.text_files import columns_shown, shorten
from engine.data.readers.parsing.times import times
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import LabelSplit, RandomSplit, SplitConfig, UserTimeSplit, needs_time
from engine.foundation.errors import DataError

LOOKS_FOR = "interactions.csv, .tsv or .parquet; or the path of one such file"
_SPLITS = {"train": 0, "valid": 1, "validation": 1, "val": 1, "test": 2, "0": 0, "1": 1, "2": 2}


def recognise(path: Path) -> bool:
    """Whether this is a table file or a folder with a table of interactions."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    return path.is_dir() and bool(table_files(path, "interactions"))


def _one_table(folder: Path, stem: str) -> Path | None:
    files = table_files(folder, stem)
    if len(files) > 1:
        raise DataError(
            f"{folder} has {len(files)} tables of {stem} ({', '.join(f.name for f in files)}); "
            "keep the one to use."
        )
    return files[0] if files else None


def read(path: Path, options: ReadOptions) -> Dataset:
    """Read a table file or a folder of tables.

    Raises DataError naming the file and row of what does not fit.
    """
    is_folder = path.is_dir()
    file = _one_table(path, "interactions") if is_folder else path
    assert file is not None  # recognised
    table = read_table(file, is_interaction_header)
    frame, notes = table.frame, list(table.notes)
    columns = find_columns(file, list(frame.columns), NAMES, notes)
    missing = [name for name in ("user", "item") if name not in columns]
    if missing:
        raise DataError(
            f"{file} has the columns {columns_shown(list(frame.columns))}; "
            f"{' and '.join(missing)} is missing. Needed are user and item (or user_id and "
            "item_id)."
        )
    place = _place(file)
    notes += unread_columns(file, frame, columns.values())
    user_texts = id_texts(frame[columns["user"]], "user", place, notes)
    item_texts = id_texts(frame[columns["item"]], "item", place, notes)
    rows, rating_notes = _rated_rows(file, frame, columns, user_texts, options)
    notes += rating_notes

    users, user_labels = number_ids(user_texts[rows])
    notes.append(f"{len(user_labels)} user ids were numbered from 0 in sorted order.")
    if is_folder:
        items, item_table, features = _folder_items(path, item_texts, rows, file, options, notes)
    else:
        items, labels = number_ids(item_texts[rows])
        item_table, features = pd.DataFrame({"item_id": labels}), {}

    split = options.split or _default_split(columns, options)
    options.check_seed(split)
    time, labels_of_split = None, None
    if needs_time(split) and "timestamp" in columns:
        time = times(frame[columns["timestamp"]], "timestamp", place, notes)[rows]
    if split.name == "label" and "split" in columns:
        labels_of_split = _labels(frame[columns["split"]], place)[rows]
    return build_dataset(
        name=path.resolve().name if is_folder else path.stem,
        source=options.source,
        users=users,
        items=items,
        n_users=len(user_labels),
        n_items=len(item_table),
        split=split,
        split_column=columns.get("split" if split.name == "label" else "timestamp", ""),
        timestamps=time,
        labels=labels_of_split,
        features=features,
        table=item_table,
        notes=notes,
    )


def _rated_rows(
    file: Path,
    frame: pd.DataFrame,
    columns: dict[str, str],
    users: pd.Series,
    options: ReadOptions,
) -> tuple[np.ndarray, list[str]]:
    """The rows that reach the minimum rating, bool [N], and notes."""
    if options.min_rating is None:
        notes = unused_ratings(frame[columns["rating"]]) if "rating" in columns else []
        return np.ones(len(frame), dtype=bool), notes
    if "rating" not in columns:
        raise DataError(
            f"{file} has no column rating, so a minimum of {options.min_rating:g} cannot be asked "
            "for; leave the minimum out."
        )
    ratings = numbers(frame[columns["rating"]], "rating", _place(file))
    return rated_at_least(ratings, options.min_rating, users, str(file))


def _place(file: Path) -> Place:
    return lambda row: f"{file}, row {row + 1} below the header"


def _default_split(columns: dict[str, str], options: ReadOptions) -> SplitConfig:
    if "split" in columns:
        return LabelSplit()
    return UserTimeSplit() if "timestamp" in columns else RandomSplit(seed=options.drawn_with)


def _labels(column: pd.Series, place: Place) -> np.ndarray:
    codes = column.astype("string").str.strip().str.lower().map(_SPLITS)
    bad = np.flatnonzero(codes.isna().to_numpy(dtype=bool))
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{place(row)}: split is {shorten(column.iloc[row])}; allowed are train, valid, test "
            "or 0, 1, 2."
        )
    return codes.to_numpy(dtype=np.int8)


def _folder_items(
    folder: Path,
    texts: pd.Series,
    rows: np.ndarray,
    file: Path,
    options: ReadOptions,
    notes: list[str],
) -> tuple[np.ndarray, pd.DataFrame, dict[str, np.ndarray]]:
    """The item number of each interaction that counts, the item table, and the features."""
    files = feature_files(folder, "_feat.npy")
    features = {m: read_features(f, options.memory_map) for m, f in files.items()}
    items_file = _one_table(folder, "items")
    used = [file, *files.values(), *([items_file] if items_file else [])]
    notes += unread_files(folder, used, "image_feat.npy and text_feat.npy")
    if items_file is None:
        n_items = check_rows(features, files, None, "")
        if n_items is None:
            items, labels = number_ids(texts[rows])
        else:
            labels = [str(i) for i in range(n_items)]
            limit = f"the {n_items} rows of {' and '.join(f.name for f in files.values())}"
            items = _positions(texts, labels, _place(file), limit)[rows]
        item_table = pd.DataFrame({"item_id": labels})
        return items, complete_item_table(item_table, labels, folder, notes), features

    table = read_table(items_file, is_item_header)
    frame = table.frame
    notes += table.notes
    columns = find_columns(items_file, list(frame.columns), ["item"], notes)
    if "item" not in columns:
        raise DataError(
            f"{items_file} has the columns {columns_shown(list(frame.columns))}; item (or "
            "item_id) is missing."
        )
    place = _place(items_file)
    labels = list(id_texts(frame[columns["item"]], "item", place, notes))
    repeated = np.flatnonzero(pd.Series(labels).duplicated().to_numpy())
    if len(repeated):
        raise DataError(
            f"{place(int(repeated[0]))}: item {shorten(labels[repeated[0]])} is there a second "
            "time; every item needs exactly one row."
        )
    check_rows(features, files, len(labels), str(items_file))
    items = _positions(texts, labels, _place(file), str(items_file))[rows]
    in_columns, feature_columns = features_in_columns(items_file, table, place, notes)
    for modality in in_columns:
        if modality in features:
            raise DataError(
                f"{folder}: {modality} features are in the columns of {items_file.name} and in "
                f"{files[modality].name}; keep one of them."
            )
    frame = frame.drop(columns=feature_columns)
    item_table = complete_item_table(frame, labels, folder, notes)
    item_table["item_id"] = labels
    return items, item_table, {**features, **in_columns}


def _positions(texts: pd.Series, labels: list[str], place: Place, limit: str) -> np.ndarray:
    """The position of each id among the labels; raises DataError where one is not there."""
    positions = pd.Index(labels, dtype=object).get_indexer(pd.Index(texts.astype(object)))
    unknown = np.flatnonzero(positions < 0)
    if len(unknown):
        row = int(unknown[0])
        raise DataError(
            f"{place(row)}: item {shorten(texts.iloc[row])} is not in {limit}; add it there or "
            "leave the interaction out."
        )
    return positions.astype(np.int64)
