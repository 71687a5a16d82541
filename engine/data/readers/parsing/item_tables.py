"""Item tables: what each item is called, belongs to and looks like."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import ITEM_COLUMNS
from engine.foundation.errors import DataError

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_TEXT_COLUMNS = {*ITEM_COLUMNS, "item_id", "overview", "genres"}


def read_table(path: Path) -> pd.DataFrame:
    """Read a .csv, .tsv or .parquet file; text files as columns of str with '' where empty.

    Raises DataError where the file is empty, damaged, or a line has too many fields.
    """
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # a first row too long
                table = pd.read_csv(
                    path,
                    sep="\t" if path.suffix == ".tsv" else ",",
                    index_col=False,
                    dtype=str,
                    keep_default_na=False,
                    encoding="utf-8-sig",
                )
    except (ValueError, OSError, pd.errors.ParserWarning) as error:  # also ArrowInvalid
        raise DataError(
            f"{path} cannot be read as a table ({str(error).splitlines()[0].rstrip('.')}); it "
            "needs a header and the same number of fields in every line."
        ) from None
    if table.empty:
        raise DataError(f"{path} holds no rows; it needs a header and at least one row.")
    table.columns = [str(column).strip() for column in table.columns]
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise DataError(f"{path}: the column '{repeated[0]}' is there twice; rename one.")
    return table


def numbered_items(path: Path, table: pd.DataFrame, column: str, n_items: int | None) -> np.ndarray:
    """The row of each item id 0..n-1 in a table whose ids are numbers from 0.

    Raises DataError where an id is not a whole number, is there twice, is missing, or is beyond
    ``n_items`` (None: the number of rows).
    """
    text = table[column].astype(str).str.strip()
    whole = text.str.fullmatch(r"\d{1,15}").to_numpy(dtype=bool)
    if not whole.all():
        row = int(np.flatnonzero(~whole)[0])
        raise DataError(
            f"{path}, row {row + 1} below the header: {column} is '{text.iloc[row]}'; a whole "
            "number from 0 is needed."
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


def described(table: pd.DataFrame, labels: list[str], folder: Path) -> pd.DataFrame:
    """The item table with Basin's columns filled from what is there; other columns are kept.

    ``overview`` serves as description and the first of ``genres`` (separated by ``|``) as category
    where these are absent. ``labels`` [n_items] name the pictures: ``images/<label>.jpg``; a column
    ``image_path`` (relative to the folder) goes before. Paths are absolute, '' where no file is.
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
        items["image_path"] = [
            _inside(folder, str(name)) for name in items["image_path"].fillna("")
        ]
    else:
        pictures = pictures_in(folder / "images")
        items["image_path"] = [pictures.get(label, "") for label in labels]
    return items


def pictures_in(folder: Path) -> dict[str, str]:
    """The absolute path of every picture in a folder, by file name without ending."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder.absolute()) as entries:
        found = sorted(
            entry.path for entry in entries if entry.name.lower().endswith(PICTURE_ENDINGS)
        )
    return {os.path.splitext(os.path.basename(path))[0]: path for path in found}


def _inside(folder: Path, name: str) -> str:
    """The absolute path of a file inside the folder; '' where it is absent or lies elsewhere."""
    path = (folder / name).resolve()
    return str(path) if name and path.is_relative_to(folder.resolve()) and path.is_file() else ""


def _numbers_if_all_are(column: pd.Series) -> pd.Series:
    filled = column.where(column != "")
    numbers = pd.to_numeric(filled, errors="coerce")
    all_are = numbers.notna().equals(filled.notna()) and numbers.notna().any()
    return numbers if all_are else column
