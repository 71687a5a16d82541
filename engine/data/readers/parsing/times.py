"""Times order interactions: whole numbers exactly, floats, or ISO dates."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from engine.data.readers.parsing.raw_ids import Place
from engine.data.readers.parsing.text_files import shorten
from engine.foundation.errors import DataError

_TIME_NAME = re.compile(r"time|date(?!s?d?b)|stamp|epoch|(^|_)(when|ts|day|at)$", re.IGNORECASE)
_UNITS = {"seconds": 1e8, "milliseconds": 1e11, "microseconds": 1e14, "nanoseconds": 1e17}
"""Smallest number of each unit that is a time since 1970 in the years that data come from."""


def times(column: pd.Series, what: str, place: Place, notes: list[str]) -> np.ndarray:
    """Times as integers [N] (whole numbers, dates) or float64 [N]; only their order has a meaning.

    Appends to ``notes`` where the numbers look like different units. Raises DataError naming the
    first row that is neither a finite number nor an ISO 8601 date.
    """
    if column.dtype.kind == "M":
        dates = column
    else:
        values = pd.to_numeric(column, errors="coerce")
        if values.dtype.kind in "iu" or values.notna().any():
            return _numeric_times(values, column, what, place, notes)
        texts = column.astype("string").fillna("")
        dates = pd.to_datetime(texts.astype(object), format="ISO8601", errors="coerce", utc=True)
    bad = np.flatnonzero(dates.isna().to_numpy())
    if len(bad):
        raise _bad_time(column, int(bad[0]), what, place)
    return dates.astype("int64").to_numpy()


def _numeric_times(
    values: pd.Series, column: pd.Series, what: str, place: Place, notes: list[str]
) -> np.ndarray:
    whole = values.dtype.kind in "iub"
    array = values.to_numpy() if whole else values.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise _bad_time(column, int(bad[0]), what, place)
    edges = [*_UNITS.values(), np.inf]
    units = [
        name
        for name, low, high in zip(_UNITS, edges[:-1], edges[1:], strict=True)
        if ((array >= low) & (array < high)).any()
    ]
    if len(units) > 1:
        notes.append(
            f"The times look like a mixture of {' and '.join(units)}; a split by time orders them "
            "as plain numbers. Convert them to one unit."
        )
    return array


def _bad_time(column: pd.Series, row: int, what: str, place: Place) -> DataError:
    return DataError(
        f"{place(row)}: {what} is {shorten(column.iloc[row])}; a finite number or an ISO date "
        "such as 2024-05-31T12:00 is needed by a split that orders by time."
    )


def looks_like_time(name: str, column: pd.Series) -> bool:
    """Whether a column's name or its first 200 values look like times."""
    if _TIME_NAME.search(name) or column.dtype.kind == "M":
        return True
    head = column.iloc[:200]
    values = pd.to_numeric(head, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isfinite(values).all():
        return any(
            bool(((values >= 4 * low) & (values < 40 * low)).all()) for low in _UNITS.values()
        )
    texts = head.astype("string").fillna("")
    return bool(texts.str.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)").all())
