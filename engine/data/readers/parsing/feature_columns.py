"""Features in the columns of an item table: numbered columns, or one column of lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.readers.parsing.column_names import list_names
from engine.data.readers.parsing.feature_files import check_finite, is_modality
from engine.data.readers.parsing.raw_ids import Place, numbers
from engine.data.readers.parsing.table_files import Table
from engine.foundation.errors import DataError

_NUMBERED = re.compile(r"(.*\D)([0-9]{1,6})")
_LIST_ENDINGS = re.compile(r"_(feat|features|embedding)$")
KNOWN = ("image", "text")
"""Modalities whose columns must be in order; others count only where they are."""
LOOKS_LIKE_FEATURES = 8
"""So many numbered columns of one name are named in a note where they are not read."""


def features_in_columns(
    path: Path, table: Table, place: Place, notes: list[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Features [rows, width] by modality, and the columns they were read from.

    Read are ``image_0, image_1, ...`` (from 0 or 1, zero-padded or not, in any order), likewise
    ``text_...``, and two or more numeric columns of any other name numbered from 0; and columns of
    equally long lists of numbers called ``image``, ``image_feat``, ``image_features`` or
    ``image_embedding``, likewise for any name where the numbers are floats. What looks like
    features and is not read is noted. Raises DataError where numbers of image or text are missing
    in between or there twice, a value is no number, or a modality is there twice.
    """
    families: dict[str, list[tuple[int, str]]] = {}
    for column in table.frame.columns:
        if match := _NUMBERED.fullmatch(column):
            families.setdefault(match[1], []).append((int(match[2]), column))
    features: dict[str, np.ndarray] = {}
    read: list[str] = []
    for prefix, numbered in families.items():
        modality = prefix[:-1] if prefix.endswith("_") else ""
        columns = [column for _, column in sorted(numbered)]
        if modality in KNOWN:
            _check_order(path, prefix, sorted(numbered))
        if modality in KNOWN or _are_features(modality, sorted(numbered), table.frame):
            features[modality] = _matrix(table.frame, columns, place)
            read += columns
        elif len(numbered) >= LOOKS_LIKE_FEATURES:
            notes.append(
                f"{path.name}: {len(numbered)} columns {columns[0]} to {columns[-1]} look like "
                "features and are not read as such; call them image_0, image_1, ... or text_0, "
                "text_1, ..."
            )
    _add_lists(path, table.lists, features, notes)
    return features, read


def _are_features(modality: str, numbered: list[tuple[int, str]], frame: pd.DataFrame) -> bool:
    """Whether columns of an unknown name are features: two or more numeric ones, from 0 on."""
    if not is_modality(modality) or len(numbered) < 2:
        return False
    if [number for number, _ in numbered] != list(range(len(numbered))):
        return False
    return bool(pd.to_numeric(frame[numbered[0][1]], errors="coerce").notna().all())


def _add_lists(
    path: Path, lists: Mapping[str, np.ndarray], features: dict[str, np.ndarray], notes: list[str]
) -> None:
    others = []
    for column, x in lists.items():
        modality = _LIST_ENDINGS.sub("", column)
        if modality not in KNOWN and (not is_modality(modality) or x.dtype.kind != "f"):
            others.append(column)
        elif modality in features:
            raise DataError(f"{path} holds {modality} features twice (column {column}); keep one.")
        else:
            x = x if x.dtype.kind == "f" else x.astype(np.float64)
            check_finite(x, f"{path}, column {column}")
            features[modality] = x
    if others:
        notes.append(
            f"{path.name}: not read are the columns of lists {list_names(others)}; features in "
            "lists are read from columns such as image or text."
        )


def _check_order(path: Path, prefix: str, numbered: list[tuple[int, str]]) -> None:
    numbers_there = [number for number, _ in numbered]
    first = numbers_there[0]
    for k, (number, column) in enumerate(numbered):
        if k and number == numbers_there[k - 1]:
            raise DataError(
                f"{path}: the columns {numbered[k - 1][1]} and {column} have the same number; "
                "rename one."
            )
        if first > 1 or number != first + k:
            missing = first + k if first <= 1 else 0
            raise DataError(
                f"{path} has {len(numbered)} columns {numbered[0][1]} to {numbered[-1][1]}, but "
                f"{prefix}{missing} is missing; number them from 0 or 1 without gaps."
            )


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
