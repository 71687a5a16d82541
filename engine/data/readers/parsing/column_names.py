"""Which column means what: one column for each meaning, and what is not read is named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from engine.data.readers.parsing.times import looks_like_time
from engine.foundation.errors import DataError

NAMES = {
    "user": ("user", "userid"),
    "item": ("item", "itemid"),
    "rating": ("rating",),
    "timestamp": (
        *("timestamp", "time", "date", "datetime", "ts", "eventtime", "eventtimestamp"),
        *("eventdate", "unixtime", "unixtimestamp", "unixreviewtime", "createdat", "ratedat"),
    ),
    "split": ("split", "xlabel"),
}
"""Names of each meaning in lower case, without underscores, blanks and hyphens."""
_PREFERRED = {"user": "userid", "item": "itemid", "timestamp": "timestamp"}
"""Which name wins where a file has several of one meaning; others are refused."""
MAX_NAMED = 8
"""Columns and files that one note names."""


def plain_name(column: str) -> str:
    """A name in lower case without underscores, blanks and hyphens."""
    return column.lower().replace("_", "").replace(" ", "").replace("-", "")


def find_columns(
    path: Path, columns: Sequence[str], meanings: Collection[str], notes: list[str]
) -> dict[str, str]:
    """The column of each meaning that is there.

    Where several have one meaning an id goes before a name and ``timestamp`` before other times,
    which is noted. Raises DataError naming the candidates where none goes before the others.
    """
    chosen: dict[str, str] = {}
    for meaning in meanings:
        candidates = [c for c in columns if plain_name(c) in NAMES[meaning]]
        preferred = [c for c in candidates if plain_name(c) == _PREFERRED.get(meaning)]
        if len(candidates) > 1 and len(preferred) != 1:
            raise DataError(
                f"{path} has {len(candidates)} columns for {meaning}: {list_names(candidates)}; "
                "rename or remove all but one."
            )
        if candidates:
            chosen[meaning] = (preferred or candidates)[0]
        if len(candidates) > 1:
            others = [c for c in candidates if c != chosen[meaning]]
            notes.append(
                f"{path.name}: {meaning} is read from column {chosen[meaning]}, not from "
                f"{', '.join(others)}."
            )
    return chosen


def is_interaction_header(columns: Sequence[str]) -> bool:
    """Whether there are columns for user and item."""
    plain = {plain_name(column) for column in columns}
    return all(plain & set(NAMES[meaning]) for meaning in ("user", "item"))


def is_item_header(columns: Sequence[str]) -> bool:
    """Whether there are several columns and one is for the item."""
    return len(columns) > 1 and any(plain_name(c) in NAMES["item"] for c in columns)


def unread_columns(path: Path, frame: pd.DataFrame, read: Collection[str]) -> list[str]:
    """Notes that name the columns of an interaction table that are not read.

    ``read`` are those that are. What looks like a time is named first, where none was read.
    """
    others = [str(column) for column in frame.columns if column not in read]
    has_time = any(plain_name(column) in NAMES["timestamp"] for column in read)
    notes = []
    for column in others if not has_time else ():
        if looks_like_time(column, frame[column]):
            notes.append(
                f"{path.name}: column {column} looks like a time and is not read; rename it to "
                "timestamp for a split by time."
            )
    if others:
        notes.append(f"{path.name}: not read are the columns {list_names(others)}.")
    return notes


def list_names(names: Sequence[str]) -> str:
    """Names separated by commas, the first MAX_NAMED of them and how many more."""
    more = len(names) - MAX_NAMED
    return ", ".join(
        name if len(name) <= 80 else f"{name[:80]}..." for name in names[:MAX_NAMED]
    ) + (f" and {more} more" if more > 0 else "")
