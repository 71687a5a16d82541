"""Item tables: what each item is called, belongs to and looks like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import ITEM_COLUMNS
from engine.data.readers.parsing.column_names import list_names
from engine.data.readers.parsing.text_files import shorten
from engine.foundation.errors import DataError

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_TEXT_COLUMNS = {*ITEM_COLUMNS, "item_id", "overview", "genres"}


def numbered_items(path: Path, table: pd.DataFrame, column: str, n_items: int | None) -> np.ndarray:
    """The row of each item id 0..n-1 in a table whose ids are numbers from 0.

    Raises DataError where an id is not a whole number, is there twice, is missing, or is beyond
    ``n_items`` (None: the number of rows).
    """
    text = table[column].astype(str).str.strip()
    whole = text.str.fullmatch(r"[0-9]{1,15}").to_numpy(dtype=bool)
    if not whole.all():
        row = int(np.flatnonzero(~whole)[0])
        raise DataError(
            f"{path}, row {row + 1} below the header: {column} is {shorten(text.iloc[row])}; a "
            "whole number from 0 is needed."
        )
    ids = text.astype(np.int64).to_numpy()
    repeated = pd.Series(ids).duplicated().to_numpy()
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        raise DataError(
            f"{path}, row {row + 1} below the header: {column} {ids[row]} is there a second time; "
            "every item needs exactly one row."
        )
    count = len(ids) if n_items is None else n_items
    missing = np.setdiff1d(np.arange(count), ids)
    if len(missing):
        raise DataError(
            f"{path}: {len(missing)} of {count} items have no row, the first is {column} "
            f"{missing[0]}; ids are numbered from 0 and every item needs a row."
        )
    if len(ids) > count:
        row = int(np.flatnonzero(ids >= count)[0])
        raise DataError(
            f"{path}, row {row + 1} below the header: {column} {ids[row]} is outside "
            f"0..{count - 1}, the items that the features cover."
        )
    return np.argsort(ids)


def complete_item_table(
    table: pd.DataFrame, labels: Sequence[str], folder: Path, notes: list[str]
) -> pd.DataFrame:
    """The item table with Basin's columns filled from what is there; other columns are kept.

    ``overview`` serves as description and the first of ``genres`` (separated by ``|``) as category
    where these are absent. ``labels`` [n_items] name the pictures: ``images/<label>.jpg``; a column
    ``image_path`` (relative to the folder) goes before. Paths are absolute, '' where no file is.
    Appends to ``notes`` how many items have a picture and which pictures no item has.
    """
    items = table.reset_index(drop=True).copy()
    for column in items.columns.difference(list(_TEXT_COLUMNS)):
        if items[column].dtype.kind not in "fiub":
            items[column] = _numbers_if_all_are(items[column])
    if "description" not in items and "overview" in items:
        items["description"] = items["overview"]
    if "category" not in items and "genres" in items:
        items["category"] = items["genres"].fillna("").astype(str).str.split("|").str[0]
    if "image_path" in items:
        names = items["image_path"].fillna("").astype(str)
        items["image_path"] = [_inside(folder, name) for name in names]
        n_absent = int(((names != "") & (items["image_path"] == "")).sum())
        if n_absent:
            notes.append(
                f"{n_absent} of {int((names != '').sum())} entries of image_path name no file "
                "inside the dataset's folder; these items are shown without a picture."
            )
    else:
        items["image_path"] = _pictures_by_name(folder, labels, notes)
    return items


def _pictures_by_name(folder: Path, labels: Sequence[str], notes: list[str]) -> list[str]:
    """The picture of each label in ``images/``; '' where there is none."""
    files = picture_files(folder / "images")
    root = folder.resolve()
    leads_out = not (folder / "images").resolve().is_relative_to(root)
    pictures: dict[str, str] = {}
    n_several = n_outside = 0
    for path in files:
        label = os.path.splitext(os.path.basename(path))[0]
        if leads_out or (os.path.islink(path) and not Path(path).resolve().is_relative_to(root)):
            n_outside += 1
            continue
        n_several += label in pictures
        pictures[label] = path
    if n_outside:
        notes.append(
            f"{n_outside} files in images/ are reached by links that lead out of the dataset's "
            "folder and were left out; copy the pictures."
        )
    if n_several:
        notes.append(f"{n_several} items have several pictures in images/; one each is shown.")
    chosen = [pictures.get(label, "") for label in labels]
    n_with = sum(map(bool, chosen))
    unmatched = sorted(set(pictures) - set(labels))
    if files and (n_with < len(labels) or unmatched):
        unused = f"; {len(unmatched)} files match no item ({list_names(unmatched)})" * bool(
            unmatched
        )
        notes.append(f"{n_with} of {len(labels)} items have a picture in images/{unused}.")
    return chosen


def picture_files(folder: Path) -> list[str]:
    """The absolute paths of the files in a folder that are named as pictures, sorted."""
    if not folder.is_dir():
        return []
    with os.scandir(folder.absolute()) as entries:
        return sorted(
            entry.path
            for entry in entries
            if entry.name.lower().endswith(PICTURE_ENDINGS) and entry.is_file()
        )


def _inside(folder: Path, name: str) -> str:
    """The absolute path of a file inside the folder; '' where it is absent or lies elsewhere."""
    try:
        path = (folder / name).resolve()
        inside = bool(name) and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a loop of links
        return ""
    return str(path) if inside else ""


def _numbers_if_all_are(column: pd.Series) -> pd.Series:
    if column.dtype.kind in "mM":
        return column
    present = column.where(column != "")
    values = pd.to_numeric(present, errors="coerce")
    all_are = values.notna().equals(present.notna()) and values.notna().any()
    return values if all_are else column
