"""The layout of MMRec and Mirror Gradient (MG).

A folder with

- ``<folder>.inter`` (or exactly one ``*.inter``): tab-separated with a header; the columns
  ``userID``, ``itemID`` (whole numbers from 0) and ``x_label`` (0 train, 1 valid, 2 test) are
  needed, ``timestamp`` only by splits that order by time;
- ``image_feat.npy`` and ``text_feat.npy`` [n_items, width], either or both may be absent;
- ``items.csv`` (optional) with ``itemID`` and any of title, description or overview, category or
  genres, image_path, noise; other columns are kept;
- ``images/<itemID>.jpg`` (optional).

Pickled files of that layout (``user_graph_dict.npy``, ``*.pt``) are never read.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import Dataset
from engine.data.readers.parsing.assembly import build_dataset
from engine.data.readers.parsing.columns import (
    check_ids,
    header_of,
    line_of_row,
    read_whole_numbers,
)
from engine.data.readers.parsing.feature_files import check_rows, feature_files, read_features
from engine.data.readers.parsing.item_tables import described, numbered_items, read_table
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
    found = list(folder.glob("*.inter"))
    return found[0] if len(found) == 1 else None


def read(folder: Path, options: ReadOptions) -> Dataset:
    """Read a folder of this layout; the file's own split unless options ask for another.

    Raises DataError naming the file and line of what does not fit.
    """
    path = _interaction_file(folder)
    assert path is not None  # recognised
    split = options.split or LabelSplit()
    columns = ["userID", "itemID"] + ["x_label"] * (split.name == "label")
    header = header_of(path, "\t")
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(
            f"{path}, line 1: the header is {header}; {', '.join(missing)} is missing. Needed are "
            f"{', '.join(columns)}, separated by tabs. A file without x_label can be read with a "
            "random split."
        )
    table = read_whole_numbers(path, "\t", columns)
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
    item_table = read_table(items_file) if items_file.is_file() else None
    if item_table is not None and n_items is None:
        n_items, why = len(item_table), f" (items.csv has {len(item_table)} rows)"
    n_items = check_ids(path, "itemID", items, n_items, 1, why)
    n_users = check_ids(path, "userID", users, None, 1)

    return build_dataset(
        name=folder.resolve().name,
        source=options.source,
        users=users,
        items=items,
        n_users=n_users,
        n_items=n_items,
        split=split,
        timestamps=_timestamps(path, header) if needs_time(split) else None,
        labels=labels,
        features=features,
        table=_described(items_file, item_table, n_items),
    )


def _described(path: Path, table: pd.DataFrame | None, n_items: int) -> pd.DataFrame:
    if table is None:
        table = pd.DataFrame(index=range(n_items))
    elif "itemID" not in table:
        raise DataError(f"{path} has the columns {list(table.columns)}; itemID is missing.")
    else:
        table = table.iloc[numbered_items(path, table, "itemID", n_items)]
    return described(table, [str(i) for i in range(n_items)], path.parent)


def _timestamps(path: Path, header: list[str]) -> np.ndarray | None:
    if "timestamp" not in header:
        return None
    text = pd.read_csv(
        path,
        sep="\t",
        usecols=["timestamp"],
        dtype=str,
        index_col=False,
        quoting=csv.QUOTE_NONE,
        encoding="utf-8-sig",
    )["timestamp"]
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise DataError(
            f"{path}, line {line_of_row(path, int(bad[0]), 1)}: timestamp is "
            f"'{text.iloc[bad[0]]}'; a number is needed by a split that orders by time."
        )
    return numbers
