"""The layout of Cornac's multimodal datasets.

A folder with

- ``rating.txt``: ``user item rating [timestamp]`` a line, separated by tabs, without a header;
- ``item_ids.txt``: one item id a line, naming the rows of the features; needed where there are any.
  Interactions with items that are not listed are left out, as Cornac does;
- ``image_features.npy`` and ``text_features.npy`` [n_items, width] (optional);
- ``text.txt`` (optional): ``id::text`` a line, which becomes the item's description.

Ids may be any text; ``Dataset.items["item_id"]`` keeps the raw id of each item. Without a wish for
a split, interactions are split at random with ``seed``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.columns import line_of_row, lines_of
from engine.data.readers.parsing.feature_files import check_rows, feature_files, read_features
from engine.data.readers.parsing.item_tables import described
from engine.data.readers.parsing.raw_ids import id_texts, is_rated, number_ids, numbers
from engine.data.readers.read_options import ReadOptions
from engine.data.splits import RandomSplit, needs_time
from engine.foundation.errors import DataError

LOOKS_FOR = "rating.txt"


def recognise(path: Path) -> bool:
    """Whether the folder has the rating file of this layout."""
    return (path / "rating.txt").is_file()


def read(folder: Path, options: ReadOptions) -> Dataset:
    """Read a folder of this layout.

    Raises DataError naming the file and line of what does not fit.
    """
    path = folder / "rating.txt"
    table = _ratings(path)
    notes = []

    def place(row: int) -> str:
        return f"{path}, line {line_of_row(path, int(table.index[row]), 0)}"

    items_text = id_texts(table[1], "item", place)
    id_texts(table[0], "user", place)
    ratings = numbers(table[2], "rating", place)
    if options.min_rating is not None:
        kept, note = is_rated(ratings, options.min_rating, str(path))
        notes.append(note)
        table, items_text = table[kept], items_text[kept]

    labels, features = _items(folder, options)
    if labels is None:
        items, labels = number_ids(items_text)
    else:
        items = pd.Index(labels).get_indexer(pd.Index(items_text.astype(object))).astype(np.int64)
        known = items >= 0
        if not known.any():
            raise DataError(
                f"{path}: no interaction has an item of item_ids.txt (the first item is "
                f"'{items_text.iloc[0]}', the first listed is '{labels[0]}'); check that both use "
                "the same ids."
            )
        if not known.all():
            notes.append(
                f"{int((~known).sum())} interactions with items that item_ids.txt does not list "
                "were left out."
            )
        table, items = table[known], items[known]
    users, user_labels = number_ids(id_texts(table[0], "user", place))
    notes.append(f"{len(user_labels)} user ids were numbered from 0 in sorted order.")

    split = options.split or RandomSplit(seed=options.seed)
    has_time = needs_time(split) and 3 in table
    item_table = pd.DataFrame({"item_id": labels})
    texts = _texts(folder / "text.txt")
    if texts:
        item_table["description"] = [texts.get(label, "") for label in labels]
    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=users,
        items=items,
        n_users=len(user_labels),
        n_items=len(labels),
        split=split,
        timestamps=numbers(table[3], "timestamp", place) if has_time else None,
        features=features,
        table=described(item_table, labels, folder),
        notes=notes,
    )


def _ratings(path: Path) -> pd.DataFrame:
    """The columns of rating.txt as text, named 0, 1, 2 and perhaps 3."""
    width = next((len(line.split("\t")) for _, line in lines_of(path)), 0)
    if width == 0:
        raise DataError(f"{path} is empty; it needs user, item and rating a line.")
    if width not in (3, 4):
        raise DataError(
            f"{path}, line 1: {width} fields separated by tabs were found; user, item, rating and "
            "perhaps a timestamp are needed."
        )
    try:
        return pd.read_csv(
            path,
            sep="\t",
            header=None,
            dtype=str,
            na_filter=False,
            quoting=csv.QUOTE_NONE,
            encoding="utf-8-sig",
        )
    except ValueError as error:
        for number, line in lines_of(path):
            if len(line.split("\t")) != width:
                raise DataError(
                    f"{path}, line {number}: {len(line.split(chr(9)))} fields were found, but line "
                    f"1 has {width}; every line needs the same number."
                ) from None
        raise DataError(f"{path} cannot be read: {error}.") from None


def _items(folder: Path, options: ReadOptions) -> tuple[list[str] | None, dict[str, np.ndarray]]:
    """The listed item ids (None: no list) and the features, one row each."""
    files = feature_files(folder, "_features.npy")
    path = folder / "item_ids.txt"
    if not path.is_file():
        if files:
            raise DataError(
                f"{folder} has {next(iter(files.values())).name} but no item_ids.txt, so nobody "
                "knows which row is which item; add it with one id a line."
            )
        return None, {}
    first_line: dict[str, int] = {}
    for number, line in lines_of(path):
        label = line.strip()
        if label in first_line:
            raise DataError(
                f"{path}, line {number}: item '{label}' was listed in line {first_line[label]} "
                "already; every item needs exactly one line."
            )
        first_line[label] = number
    if not first_line:
        raise DataError(f"{path} is empty; it needs one item id a line.")
    features = {m: read_features(file, options.memory_map) for m, file in files.items()}
    check_rows(features, files, len(first_line), str(path))
    return list(first_line), features


def _texts(path: Path) -> dict[str, str]:
    """The text of each item id; empty where there is no file."""
    texts: dict[str, str] = {}
    if not path.is_file():
        return texts
    for number, line in lines_of(path):
        label, separator, text = line.partition("::")
        if not separator:
            raise DataError(
                f"{path}, line {number} is '{line[:40]}'; 'id::text' is needed, with two colons."
            )
        texts[label.strip()] = text.strip()
    return texts
