"""Features in the columns of an item table: numbered columns, or one column of lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.dataset import MODALITIES
from engine.data.readers.parsing.column_names import listed
from engine.data.readers.parsing.feature_files import check_finite
from engine.data.readers.parsing.raw_ids import Place, numbers
from engine.data.readers.parsing.table_files import Table
from engine.foundation.errors import DataError

_NUMBERED = re.compile(r"(.*\D)(\d+)")
_LIST_ENDINGS = ("", "_feat", "_features", "_embedding")
LOOKS_LIKE_FEATURES = 8
"""So many numbered columns of one name are named in a note where they are not read."""


def features_in_columns(
    path: Path, table: Table, place: Place, notes: list[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Features [rows, width] by modality, and the columns they were read from.

    Read are ``image_0, image_1, ...`` (from 0 or 1, zero-padded or not, in any order) and columns
    of equally long lists called ``image``, ``image_feat``, ``image_features`` or
    ``image_embedding``; likewise for every modality. What looks like features under another name
    is noted. Raises DataError where numbers are missing in between, are there twice, or a modality
    is there twice.
    """
    families: dict[str, dict[int, str]] = {}
    for column in table.frame.columns:
        if match := _NUMBERED.fullmatch(column):
            numbered = families.setdefault(match[1], {})
            if int(match[2]) in numbered and match[1].removesuffix("_") in MODALITIES:
                raise DataError(
                    f"{path}: the columns {numbered[int(match[2])]} and {column} have the same "
                    "number; rename one."
                )
            numbered[int(match[2])] = column
    features: dict[str, np.ndarray] = {}
    read: list[str] = []
    for prefix, numbered in families.items():
        modality = prefix.removesuffix("_")
        if modality in MODALITIES and prefix != modality:
            columns = _in_order(path, prefix, numbered)
            features[modality] = _matrix(table.frame, columns, place)
            read += columns
        elif len(numbered) >= LOOKS_LIKE_FEATURES:
            notes.append(
                f"{path.name}: {len(numbered)} columns {prefix}{min(numbered)} to "
                f"{prefix}{max(numbered)} look like features and are not read as such; call them "
                "image_0, image_1, ... or text_0, text_1, ..."
            )
    _add_lists(path, table.lists, features, notes)
    return features, read


def _add_lists(
    path: Path, lists: Mapping[str, np.ndarray], features: dict[str, np.ndarray], notes: list[str]
) -> None:
    others = []
    for column, x in lists.items():
        modality = next((m for m in MODALITIES for e in _LIST_ENDINGS if column == m + e), None)
        if modality is None:
            others.append(column)
        elif modality in features:
            raise DataError(f"{path} holds {modality} features twice (column {column}); keep one.")
        else:
            check_finite(x, f"{path}, column {column}")
            features[modality] = x
    if others:
        notes.append(
            f"{path.name}: not read are the columns of lists {listed(others)}; features in lists "
            f"are read from columns called {' or '.join(MODALITIES)}."
        )


def _in_order(path: Path, prefix: str, numbered: dict[int, str]) -> list[str]:
    order = sorted(numbered)
    first = order[0]
    absent = next((k for k, number in enumerate(order, first) if k != number), None)
    if first > 1 or absent is not None:
        missing = f"{prefix}{absent if absent is not None and first <= 1 else 0}"
        raise DataError(
            f"{path} has {len(order)} columns {prefix}{first} to {prefix}{order[-1]}, but "
            f"{missing} is missing; number them from 0 or 1 without gaps."
        )
    return [numbered[k] for k in order]


def _matrix(frame: pd.DataFrame, columns: list[str], place: Place) -> np.ndarray:
    x = np.empty((len(frame), len(columns)), dtype=np.float64)
    for k, column in enumerate(columns):
        x[:, k] = numbers(frame[column], column, place)
    too_large = np.argwhere(np.abs(x) > np.finfo(np.float32).max)
    if len(too_large):
        row, k = too_large[0]
        raise DataError(
            f"{place(int(row))}: {columns[k]} is {x[row, k]:g}, too large for float32; numbers up "
            "to 3.4e38 are allowed."
        )
    return x.astype(np.float32)
