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
import io
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.feature_files import check_rows, feature_files, read_features
from engine.data.readers.parsing.folder_files import unread_files
from engine.data.readers.parsing.item_tables import complete_item_table
from engine.data.readers.parsing.raw_ids import (
    id_texts,
    number_ids,
    numbers,
    rated_at_least,
    unused_ratings,
)
from engine.data.readers.parsing.text_files import (
    line_of_row,
    lines_of,
    other_separator,
    read_text,
    shorten,
)
from engine.data.readers.parsing.times import times
from engine.data.readers.parsing.whole_numbers import check_widths
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
    notes: list[str] = []

    def place(row: int) -> str:
        return f"{path}, line {line_of_row(path, row, 0)}"

    item_texts = id_texts(table[1], "item", place, notes)
    user_texts = id_texts(table[0], "user", place, notes)
    ratings = numbers(table[2], "rating", place)
    split = options.split or RandomSplit(seed=options.drawn_with)
    options.check_seed(split)
    time = times(table[3], "timestamp", place, notes) if needs_time(split) and 3 in table else None
    rows = np.ones(len(table), dtype=bool)
    if options.min_rating is not None:
        rows, rating_notes = rated_at_least(ratings, options.min_rating, user_texts, str(path))
        notes += rating_notes
    else:
        notes += unused_ratings(table[2])

    files = feature_files(folder, "_features.npy")
    list_file = folder / "item_ids.txt"
    labels = _listed_items(list_file, files)
    features = {m: read_features(file, options.memory_map) for m, file in files.items()}
    if labels is None:
        items, labels = number_ids(item_texts[rows])
    else:
        check_rows(features, files, len(labels), str(list_file))
        positions = pd.Index(labels, dtype=object).get_indexer(pd.Index(item_texts.astype(object)))
        is_listed = positions >= 0
        if not (is_listed & rows).any():
            raise DataError(
                f"{path}: no interaction has an item of item_ids.txt (the first item is "
                f"{shorten(item_texts.iloc[0])}, the first listed is {shorten(labels[0])}); "
                "check that both use the same ids."
            )
        n_unlisted = int((rows & ~is_listed).sum())
        if n_unlisted:
            notes.append(
                f"{n_unlisted} interactions with items that item_ids.txt does not list were left "
                "out."
            )
        rows &= is_listed
        items = positions[rows].astype(np.int64)
    users, user_labels = number_ids(user_texts[rows])
    notes.append(f"{len(user_labels)} user ids were numbered from 0 in sorted order.")

    text_file = folder / "text.txt"
    item_table = pd.DataFrame({"item_id": labels})
    texts = _texts(text_file, notes) if text_file.is_file() else {}
    if texts:
        item_table["description"] = [texts.pop(label, "") for label in labels]
    if texts:
        notes.append(f"text.txt: {len(texts)} texts belong to no item and were left out.")
    notes += unread_files(
        folder,
        [path, list_file, text_file, *files.values()],
        "image_features.npy and text_features.npy",
    )
    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=users,
        items=items,
        n_users=len(user_labels),
        n_items=len(labels),
        split=split,
        split_column="4",
        timestamps=time[rows] if time is not None else None,
        features=features,
        table=complete_item_table(item_table, labels, folder, notes),
        notes=notes,
    )


def _ratings(path: Path) -> pd.DataFrame:
    """The columns of rating.txt as text, named 0, 1, 2 and perhaps 3."""
    number, first = next(lines_of(path), (0, ""))
    if number == 0:
        raise DataError(f"{path} is empty; it needs user, item and rating a line.")
    width = len(first.split("\t"))
    if width not in (3, 4):
        hint = other_separator(first, "\t") if width == 1 else ""
        raise DataError(
            f"{path}, line {number}: {width} fields separated by tabs were found{hint}; user, "
            "item, rating and perhaps a timestamp are needed."
        )
    text = read_text(path)
    check_widths(path, text, "\t", width)
    return pd.read_csv(
        io.StringIO("\n".join(line for line in text.split("\n") if line.strip())),
        sep="\t",
        header=None,
        dtype="str",
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
    )


def _listed_items(path: Path, features: dict[str, Path]) -> list[str] | None:
    """The ids that item_ids.txt lists; None where there is no such file."""
    if not path.is_file():
        if features:
            raise DataError(
                f"{path.parent} has {next(iter(features.values())).name} but no item_ids.txt, so "
                "nobody knows which row is which item; add it with one id a line."
            )
        return None
    first_line: dict[str, int] = {}
    for number, line in lines_of(path):
        label = line.strip()
        if label in first_line:
            raise DataError(
                f"{path}, line {number}: item {shorten(label)} was listed in line "
                f"{first_line[label]} already; every item needs exactly one line."
            )
        first_line[label] = number
    if not first_line:
        raise DataError(f"{path} is empty; it needs one item id a line.")
    return list(first_line)


def _texts(path: Path, notes: list[str]) -> dict[str, str]:
    """The text of each item id."""
    texts: dict[str, str] = {}
    n_repeated = 0
    for number, line in lines_of(path):
        label, separator, text = line.partition("::")
        if not separator:
            raise DataError(
                f"{path}, line {number} is {shorten(line)}; 'id::text' is needed, with two colons."
            )
        n_repeated += label.strip() in texts
        texts[label.strip()] = text.strip()
    if n_repeated:
        notes.append(f"text.txt: {n_repeated} items have a second text; the last one is kept.")
    return texts
