"""Ids of any kind become numbers from 0; ratings and times become floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from engine.foundation.errors import DataError

Place = Callable[[int], str]
"""Where a row, counted from 0, stands in its file: ``ratings.csv, row 3 below the header``."""


def id_texts(column: pd.Series, what: str, place: Place) -> pd.Series:
    """Raw ids as text without surrounding blanks; whole floats (5.0) lose their fraction.

    Raises DataError naming the first row whose id is missing.
    """
    if column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    text = column.astype("string").str.strip().fillna("")
    missing = np.flatnonzero((text == "").to_numpy(dtype=bool))
    if len(missing):
        raise DataError(f"{place(int(missing[0]))}: {what} is empty; every row needs one.")
    return text


def number_ids(text: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Number ids from 0 in sorted order: codes int64 [N] and the label of each code.

    Ids that are all whole numbers sort as numbers, others as text, so the order of rows does not
    matter.
    """
    codes, found = pd.factorize(text)
    labels = np.asarray(found, dtype=object)
    if pd.Series(labels).str.fullmatch(r"\d{1,18}").all():
        order = np.lexsort((labels.astype(str), labels.astype(np.int64)))
    else:
        order = np.argsort(labels.astype(str), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], [str(label) for label in labels[order]]


def numbers(column: pd.Series, what: str, place: Place) -> np.ndarray:
    """A column as float64 [N]; raises DataError naming the first row that is not a number."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{place(row)}: {what} is '{column.iloc[row]}'; a number is needed.")
    return values


def times(column: pd.Series, what: str, place: Place) -> np.ndarray:
    """Timestamps as float64 [N], from numbers or ISO 8601 dates; only their order has a meaning.

    Raises DataError naming the first row that is neither.
    """
    if column.dtype.kind != "M":
        values = pd.to_numeric(column, errors="coerce")
        if values.notna().all():
            return values.to_numpy(dtype=np.float64)
        if values.notna().any():
            dates = values
        else:
            dates = pd.to_datetime(column.astype(str), format="ISO8601", errors="coerce", utc=True)
    else:
        dates = column
    bad = np.flatnonzero(dates.isna().to_numpy())
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{place(row)}: {what} is '{column.iloc[row]}'; a number or an ISO date such as "
            "2024-05-31T12:00 is needed."
        )
    return dates.astype(np.int64).to_numpy(dtype=np.float64)


def is_rated(ratings: np.ndarray, min_rating: float, source: str) -> tuple[np.ndarray, str]:
    """Which of N interactions reach ``min_rating``, bool [N], and a note that says how many.

    Raises DataError where none does.
    """
    kept = ratings >= min_rating
    if not kept.any():
        raise DataError(
            f"{source}: no rating reaches the minimum of {min_rating:g}, the highest is "
            f"{ratings.max():g}; lower the minimum."
        )
    return kept, f"{int((~kept).sum())} interactions rated below {min_rating:g} were left out."
