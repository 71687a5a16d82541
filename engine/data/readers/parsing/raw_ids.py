"""Ids of any kind become numbers from 0; ratings become floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from engine.data.readers.parsing.text_files import shorten
from engine.foundation.errors import DataError

Place = Callable[[int], str]
"""Where a row, counted from 0, stands in its file: ``ratings.csv, row 3 below the header``."""

MISSING = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a", "<na>", "nat"})
"""What programs write where an id is missing, in lower case."""
_EXACT_FLOAT = 2.0**53


def id_texts(column: pd.Series, what: str, place: Place, notes: list[str]) -> pd.Series:
    """Raw ids as text without surrounding blanks; whole floats (5.0) lose their fraction.

    Appends to ``notes`` where ids that differ only in such blanks become one. Raises DataError
    naming the first rows whose id is missing, or is a number too large for its type to be exact.
    """
    if column.dtype.kind == "f":
        values = column.to_numpy(dtype=np.float64)
        inexact = np.flatnonzero(np.abs(values) >= _EXACT_FLOAT)
        if len(inexact):
            row = int(inexact[0])
            raise DataError(
                f"{place(row)}: {what} is {values[row]:g}, a floating number too large to tell ids "
                "apart; save ids as text or whole numbers."
            )
        if bool((column.dropna() % 1 == 0).all()):
            column = column.astype("Int64")
    raw = column.astype("string").fillna("")
    text = raw.str.strip()
    missing = np.flatnonzero(text.str.lower().isin(MISSING).to_numpy(dtype=bool))
    if len(missing):
        first = text.iloc[int(missing[0])]
        value = f"{first!r}, a missing value" if first else "empty"
        more = ", ".join(str(row + 1) for row in missing[1:6])
        rest = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
        also = f"; so are rows {more}{rest}" if more else ""
        raise DataError(f"{place(int(missing[0]))}: {what} is {value}{also}; every row needs one.")
    n_merged = raw.nunique() - text.nunique()
    if n_merged:
        notes.append(
            f"{n_merged} {what} ids differ from another only in surrounding blanks and were merged "
            "with it."
        )
    return text


def number_ids(text: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Number ids from 0 in sorted order: codes int64 [N] and the label of each code.

    Ids that are all whole numbers sort as numbers, others as text, so the order of rows does not
    matter.
    """
    codes, uniques = pd.factorize(text)
    labels = np.asarray(uniques, dtype=object)
    if pd.Series(labels).str.fullmatch(r"[0-9]{1,18}").all():
        order = np.lexsort((labels.astype(str), labels.astype(np.int64)))
    else:
        order = np.argsort(labels.astype(str), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], [str(label) for label in labels[order]]


def numbers(column: pd.Series, what: str, place: Place) -> np.ndarray:
    """A column as float64 [N]; raises DataError naming the first row that is not a number."""
    values = _floats(column)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{place(row)}: {what} is {shorten(column.iloc[row])}; a finite number is needed."
        )
    return values


def _floats(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "mM":
        return np.full(len(column), np.nan)
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def rated_at_least(
    ratings: np.ndarray, min_rating: float, users: pd.Series, source: str
) -> tuple[np.ndarray, list[str]]:
    """Which of N interactions reach ``min_rating``, bool [N], and notes on what falls out.

    Raises DataError where none does.
    """
    is_kept = ratings >= min_rating
    if not is_kept.any():
        raise DataError(
            f"{source}: no rating reaches the minimum of {min_rating:g}, the highest is "
            f"{ratings.max():g}; lower the minimum."
        )
    notes = [f"{int((~is_kept).sum())} interactions rated below {min_rating:g} were left out."]
    n_lost = users.nunique() - users[is_kept].nunique()
    if n_lost:
        notes.append(f"{n_lost} users have only such ratings and were left out with them.")
    return is_kept, notes


def unused_ratings(column: pd.Series) -> list[str]:
    """A note on ratings that are there while no minimum was asked for; none where all are equal."""
    values = _floats(column)
    values = values[np.isfinite(values)]
    if len(values) == 0 or values.min() == values.max():
        return []
    low, high = values.min(), values.max()
    n_low = int((values == low).sum())
    return [
        f"Ratings from {low:g} to {high:g} are not used: every row counts as an interaction, also "
        f"the {n_low} rated {low:g}. A minimum rating (--min-rating) leaves lower ones out."
    ]
