"""Plain tables.

Either one file of interactions (``.csv``, ``.tsv`` or ``.parquet``), or a folder with

- ``interactions.csv|tsv|parquet``: columns ``user``, ``item`` and optionally ``rating``,
  ``timestamp`` (number or ISO date) and ``split`` (train, valid, test, or 0, 1, 2). Also understood
  are ``user_id``, ``userID``, ``item_id``, ``itemID``, ``time`` and ``x_label``;
- ``items.csv|tsv|parquet`` (optional): column ``item`` and any of title, description or overview,
  category or genres, image_path, noise; other columns are kept; feature columns are ``image_0``,
  ``image_1``, ... and ``text_0``, ...;
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
from engine.data.readers.parsing.feature_files import (
    check_finite,
    check_rows,
    feature_files,
    read_features,
)
from engine.data.readers.parsing.item_tables import described, read_table
from engine.data.readers.parsing.raw_ids import (
    Place,
    id_texts,
    is_rated,
    number_ids,
    numbers,
    times,
)
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import LabelSplit, RandomSplit, SplitConfig, UserTimeSplit, needs_time
from engine.foundation.errors import DataError

ENDINGS = (".csv", ".tsv", ".parquet")
LOOKS_FOR = "interactions.csv, .tsv or .parquet; or the path of one such file"
_NAMES = {
    "user": ("user", "userid"),
    "item": ("item", "itemid"),
    "rating": ("rating",),
    "timestamp": ("timestamp", "time"),
    "split": ("split", "xlabel"),
}
_SPLITS = {"train": 0, "valid": 1, "validation": 1, "val": 1, "test": 2, "0": 0, "1": 1, "2": 2}


def recognise(path: Path) -> bool:
    """Whether this is a table file or a folder with a table of interactions."""
    if path.is_file():
        return path.suffix in ENDINGS
    return _table_file(path, "interactions") is not None


def _table_file(folder: Path, stem: str) -> Path | None:
    found = [folder / f"{stem}{ending}" for ending in ENDINGS]
    return next((path for path in found if path.is_file()), None)


def read(path: Path, options: ReadOptions) -> Dataset:
    """Read a table file or a folder of tables.

    Raises DataError naming the file and row of what does not fit.
    """
    is_folder = path.is_dir()
    file = _table_file(path, "interactions") if is_folder else path
    assert file is not None  # recognised
    table = _renamed(read_table(file))
    missing = [name for name in ("user", "item") if name not in table]
    if missing:
        raise DataError(
            f"{file} has the columns {list(table.columns)}; {' and '.join(missing)} is missing. "
            "Needed are user and item (or user_id and item_id)."
        )
    place = _place(file)
    item_texts = id_texts(table["item"], "item", place)
    users, user_labels = number_ids(id_texts(table["user"], "user", place))
    if is_folder:
        items, item_table, features = _folder_items(path, item_texts, place, options)
    else:
        items, labels = number_ids(item_texts)
        item_table, features = pd.DataFrame({"item_id": labels}), {}

    notes = [f"{len(user_labels)} user ids were numbered from 0 in sorted order."]
    if options.min_rating is not None:
        if "rating" not in table:
            raise DataError(
                f"{file} has no column rating, so a minimum of {options.min_rating:g} cannot be "
                "asked for; leave the minimum out."
            )
        ratings = numbers(table["rating"], "rating", place)
        kept, note = is_rated(ratings, options.min_rating, str(file))
        notes.append(note)
    else:
        kept = np.ones(len(table), dtype=bool)
    split = options.split or _default_split(table, options.seed)
    has_time, has_split = "timestamp" in table, "split" in table
    time = times(table["timestamp"], "timestamp", place) if has_time and needs_time(split) else None
    given = _labels(table["split"], place) if has_split and split.name == "label" else None
    return build_dataset(
        name=path.resolve().name if is_folder else path.stem,
        source=options.source,
        users=users[kept],
        items=items[kept],
        n_users=len(user_labels),
        n_items=len(item_table),
        split=split,
        timestamps=time[kept] if time is not None else None,
        labels=given[kept] if given is not None else None,
        features=features,
        table=item_table,
        notes=notes,
    )


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the understood names of user, item, rating, ... replaced by those."""
    by_plain_name: dict[str, str] = {}
    for column in table.columns:
        by_plain_name.setdefault(column.lower().replace("_", ""), column)
    renames = {}
    for name, plain_names in _NAMES.items():
        given = [by_plain_name[p] for p in plain_names if p in by_plain_name]
        if given and name not in table:
            renames[given[0]] = name
    return table.rename(columns=renames)


def _place(file: Path) -> Place:
    return lambda row: f"{file}, row {row + 1} below the header"


def _default_split(table: pd.DataFrame, seed: int) -> SplitConfig:
    if "split" in table:
        return LabelSplit()
    return UserTimeSplit() if "timestamp" in table else RandomSplit(seed=seed)


def _labels(column: pd.Series, place: Place) -> np.ndarray:
    codes = column.astype("string").str.strip().str.lower().map(_SPLITS)
    bad = np.flatnonzero(codes.isna().to_numpy(dtype=bool))
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{place(row)}: split is '{column.iloc[row]}'; allowed are train, valid, test or "
            "0, 1, 2."
        )
    return codes.to_numpy(dtype=np.int8)


def _folder_items(
    folder: Path, texts: pd.Series, place: Place, options: ReadOptions
) -> tuple[np.ndarray, pd.DataFrame, dict[str, np.ndarray]]:
    """The item number of each interaction [N], the item table, and the features."""
    files = feature_files(folder, "_feat.npy")
    features = {m: read_features(file, options.memory_map) for m, file in files.items()}
    items_file = _table_file(folder, "items")
    if items_file is None:
        n_items = check_rows(features, files, None, "")
        if n_items is None:
            items, labels = number_ids(texts)
        else:
            labels = [str(i) for i in range(n_items)]
            items = _positions(texts, labels, place, f"the {n_items} rows of {_names(files)}")
        return items, described(pd.DataFrame({"item_id": labels}), labels, folder), features

    table = read_table(items_file)
    renamed = _renamed(table)
    if "item" not in renamed:
        raise DataError(
            f"{items_file} has the columns {list(table.columns)}; item (or item_id) is missing."
        )
    labels = list(id_texts(renamed["item"], "item", _place(items_file)))
    repeated = np.flatnonzero(pd.Series(labels).duplicated().to_numpy())
    if len(repeated):
        raise DataError(
            f"{_place(items_file)(int(repeated[0]))}: item '{labels[repeated[0]]}' is there a "
            "second time; every item needs exactly one row."
        )
    check_rows(features, files, len(labels), str(items_file))
    items = _positions(texts, labels, place, str(items_file))
    for modality, columns in _feature_columns(table).items():
        if modality in features:
            raise DataError(
                f"{folder}: {modality} features are in the columns of {items_file.name} and in "
                f"{files[modality].name}; keep one of them."
            )
        features[modality] = _column_features(table, columns, items_file)
        table = table.drop(columns=columns)
    table = described(table, labels, folder)
    table["item_id"] = labels
    return items, table, features


def _positions(texts: pd.Series, labels: list[str], place: Place, limit: str) -> np.ndarray:
    """The position of each id among the labels; raises DataError where one is not there."""
    positions = pd.Index(labels).get_indexer(pd.Index(texts.astype(object)))
    unknown = np.flatnonzero(positions < 0)
    if len(unknown):
        row = int(unknown[0])
        raise DataError(
            f"{place(row)}: item '{texts.iloc[row]}' is not in {limit}; add it there or leave the "
            "interaction out."
        )
    return positions.astype(np.int64)


def _names(files: dict[str, Path]) -> str:
    return " and ".join(file.name for file in files.values())


def _feature_columns(table: pd.DataFrame) -> dict[str, list[str]]:
    """The columns audio_0, audio_1, ... in that order, by modality.

    Beside images and texts, only names that are followed by 0 and 1 over numbers are modalities.
    """
    groups: dict[str, list[str]] = {}
    for modality in (c[:-2] for c in map(str, table.columns) if c.endswith("_0")):
        count = 0
        while f"{modality}_{count}" in table:
            count += 1
        columns = [f"{modality}_{k}" for k in range(count)]
        is_numeric = pd.to_numeric(table[columns[0]], errors="coerce").notna().all()
        is_likely = count > 1 and is_numeric and modality.isidentifier()
        if modality in ("image", "text") or is_likely:
            groups[modality] = columns
    return groups


def _column_features(table: pd.DataFrame, columns: list[str], file: Path) -> np.ndarray:
    x = np.empty((len(table), len(columns)), dtype=np.float32)
    for k, column in enumerate(columns):
        x[:, k] = numbers(table[column], column, _place(file))
    check_finite(x, str(file))
    return x
