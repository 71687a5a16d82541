"""A dataset: who interacted with what, split once, and what each item looks and reads like."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from engine.foundation.errors import DataError

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

ITEM_COLUMNS = ("title", "description", "category", "image_path", "noise")
"""Columns every item table has; '' where unknown. ``noise`` names the modality known to mislead."""


@dataclass(frozen=True)
class Interactions:
    """Pairs of user and item, one a row, as int64 arrays of equal length."""

    users: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Dataset:
    """Interactions split in train, valid and test, features per modality, and an item table.

    Immutable and validated once, when made. Ids are dense from 0. ``features[m]`` has shape
    [n_items, width] and floating type, for any modality m (image, text, ...), in alphabetical
    order; it may be memory-mapped, so it is copied only on use.
    ``items`` has one row an item in id order and at least the columns of ITEM_COLUMNS.

    Raises DataError where ids, shapes or values do not fit each other.
    """

    name: str
    n_users: int
    n_items: int
    train: Interactions
    valid: Interactions
    test: Interactions
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    items: pd.DataFrame = field(default_factory=pd.DataFrame)
    source: str = ""
    """Where it was read from, as given by the user."""
    notes: tuple[str, ...] = ()
    """What the reader did that a person should know, e.g. rows dropped and why."""

    def __post_init__(self) -> None:
        if self.n_users < 1 or self.n_items < 2:
            raise DataError(
                f"{self.name}: {self.n_users} users and {self.n_items} items were found; at least "
                "1 user and 2 items are needed."
            )
        for split in SPLITS:
            object.__setattr__(self, split, self._checked_interactions(split))
        if len(self.train) == 0:
            raise DataError(f"{self.name}: no training interactions were found; check the split.")
        features = {m: self._checked_features(m, x) for m, x in sorted(self.features.items())}
        object.__setattr__(self, "features", MappingProxyType(features))
        object.__setattr__(self, "items", self._checked_items())

    def _checked_interactions(self, split: Split) -> Interactions:
        given: Interactions = getattr(self, split)
        users = np.array(given.users, dtype=np.int64)
        items = np.array(given.items, dtype=np.int64)
        if users.ndim != 1 or users.shape != items.shape:
            raise DataError(
                f"{self.name}, {split}: users have shape {users.shape} and items {items.shape}; "
                "two equally long lists are needed."
            )
        for what, ids, count in (("user", users, self.n_users), ("item", items, self.n_items)):
            bad = np.flatnonzero((ids < 0) | (ids >= count))
            if len(bad):
                raise DataError(
                    f"{self.name}, {split}, row {bad[0]}: {what} id {ids[bad[0]]} is outside "
                    f"0..{count - 1}."
                )
        users.setflags(write=False)
        items.setflags(write=False)
        return Interactions(users, items)

    def _checked_features(self, modality: str, x: np.ndarray) -> np.ndarray:
        if not modality.isidentifier():
            raise DataError(
                f"{self.name}: features of modality '{modality}'; a modality's name needs letters, "
                "digits and underscores only, e.g. image, text or audio."
            )
        if x.ndim != 2 or x.shape[0] != self.n_items or x.shape[1] < 1:
            raise DataError(
                f"{self.name}: {modality} features have shape {x.shape}; [{self.n_items}, width] "
                "is needed, one row an item."
            )
        if not np.issubdtype(x.dtype, np.floating):
            raise DataError(f"{self.name}: {modality} features are {x.dtype}; floats are needed.")
        for start in range(0, len(x), 4096):
            finite = np.isfinite(x[start : start + 4096]).all(axis=1)
            if not finite.all():
                row = start + int(np.flatnonzero(~finite)[0])
                raise DataError(
                    f"{self.name}: {modality} features of item {row} hold NaN or infinity; replace "
                    "them by finite numbers (zeros for a missing picture or text)."
                )
        view = x.view()
        view.setflags(write=False)
        return view

    def _checked_items(self) -> pd.DataFrame:
        items = self.items.copy()
        if items.empty and items.columns.empty:
            items = pd.DataFrame(index=range(self.n_items))
        if len(items) != self.n_items:
            raise DataError(
                f"{self.name}: the item table has {len(items)} rows for {self.n_items} items; one "
                "row an item is needed."
            )
        items = items.reset_index(drop=True)
        for column in ITEM_COLUMNS:
            values = items[column] if column in items else pd.Series([""] * self.n_items)
            items[column] = values.fillna("").astype(str)
        unnamed = items["title"] == ""
        items.loc[unnamed, "title"] = [f"item {i}" for i in items.index[unnamed]]
        return items

    def __len__(self) -> int:
        """How many interactions there are in all splits."""
        return len(self.train) + len(self.valid) + len(self.test)

    def interactions(self, split: Split) -> Interactions:
        """The interactions of one split."""
        chosen: Interactions = getattr(self, split)
        return chosen

    def matrix(self, split: Split) -> sparse.csr_matrix:
        """The split as a 0/1 CSR matrix [n_users, n_items], indices sorted, duplicates merged."""
        return self._matrices[split]

    @cached_property
    def _matrices(self) -> dict[str, sparse.csr_matrix]:
        made: dict[str, sparse.csr_matrix] = {}
        for split in SPLITS:
            pairs = self.interactions(split)
            ones = np.ones(len(pairs), dtype=np.float32)
            matrix = sparse.csr_matrix(
                (ones, (pairs.users, pairs.items)), shape=(self.n_users, self.n_items)
            )
            matrix.sum_duplicates()
            matrix.sort_indices()
            matrix.data[:] = 1.0
            made[split] = matrix
        return made

    @cached_property
    def popularity(self) -> np.ndarray:
        """Training interactions of each item, int64 [n_items]."""
        return np.bincount(self.train.items, minlength=self.n_items)

    @property
    def sparsity(self) -> float:
        """Share of the users x items table without an interaction, 0 to 1."""
        return 1.0 - len(self) / (self.n_users * self.n_items)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of ids, splits and features: equal for equal data, wherever it lies."""
        digest = hashlib.sha256(f"{self.n_users},{self.n_items}".encode())
        for split in SPLITS:
            pairs = self.interactions(split)
            digest.update(f"{split},{len(pairs)}".encode())
            digest.update(pairs.users.tobytes())
            digest.update(pairs.items.tobytes())
        for modality in sorted(self.features):
            x = self.features[modality]
            digest.update(f"{modality},{x.dtype},{x.shape}".encode())
            for start in range(0, len(x), 4096):
                digest.update(np.ascontiguousarray(x[start : start + 4096]).tobytes())
        return digest.hexdigest()[:16]
