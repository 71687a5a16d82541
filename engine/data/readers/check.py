"""A report on a dataset before it is used: what was read, what is missing, what will be dropped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.data.dataset import SPLITS, Dataset
from engine.data.pictures import open_picture
from engine.data.readers import format_of, read_dataset
from engine.foundation.errors import BasinError, DataError

PREVIEW_ITEMS = 8
PICTURES_OPENED = 50
"""Pictures that a check opens, spread evenly over the items."""


@dataclass(frozen=True)
class DatasetCheck:
    """What a check found. Where the dataset cannot be read, ``problem`` says why and all else is
    empty."""

    source: str
    format: str = ""
    problem: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Users, items, interactions, those of each split, and how many lack what is usual."""
    features: pd.DataFrame = field(default_factory=pd.DataFrame)
    """A row a modality: width, items whose features are all zero (missing), items whose features
    equal another's (repeated)."""
    notes: tuple[str, ...] = ()
    """What the reader says: the split first, then all that was dropped, merged or not read."""
    warnings: tuple[str, ...] = ()
    """What makes results doubtful, one sentence each."""
    preview: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Some items, most popular first: title, category, training interactions, picture's path."""

    @property
    def is_usable(self) -> bool:
        """Whether the dataset can be read."""
        return not self.problem

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "source": self.source,
            "format": self.format,
            "usable": self.is_usable,
            "problem": self.problem,
            "counts": self.counts,
            "features": self.features.to_dict("records"),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "preview": self.preview.to_dict("records"),
        }


def check_dataset(path: str | Path, **options: Any) -> DatasetCheck:
    """Read a dataset as ``read_dataset(path, **options)`` does and report on it; never raises for
    what is wrong with the data."""
    source = os.fspath(path)
    try:
        name = format_of(source)
        dataset = read_dataset(source, **options)
    except BasinError as error:
        return DatasetCheck(source, problem=str(error))
    return report(dataset, name)


def report(dataset: Dataset, format_name: str = "") -> DatasetCheck:
    """The report on a dataset that was read."""
    per_user = np.bincount(
        np.concatenate([dataset.interactions(s).users for s in SPLITS]), minlength=dataset.n_users
    )
    has_picture = (dataset.items["image_path"] != "").to_numpy()
    counts: dict[str, int] = {
        "users": dataset.n_users,
        "items": dataset.n_items,
        "interactions": len(dataset),
        **{str(split): len(dataset.interactions(split)) for split in SPLITS},
        "users with fewer than 3 interactions": int((per_user < 3).sum()),
        "users without a test interaction": dataset.n_users - len(np.unique(dataset.test.users)),
        "items without a training interaction": int((dataset.popularity == 0).sum()),
        "items with a picture": int(has_picture.sum()),
    }
    features = pd.DataFrame(
        [_feature_row(modality, x) for modality, x in dataset.features.items()],
        columns=["modality", "width", "missing", "repeated"],
    )
    popular = np.argsort(-dataset.popularity, kind="stable")[:PREVIEW_ITEMS]
    preview = dataset.items.iloc[popular][["title", "category", "image_path"]].assign(
        interactions=dataset.popularity[popular]
    )
    return DatasetCheck(
        source=dataset.source,
        format=format_name,
        counts=counts,
        features=features,
        notes=dataset.notes,
        warnings=tuple(_warnings(dataset, counts, features)),
        preview=preview.reset_index(drop=True),
    )


def _feature_row(modality: str, x: np.ndarray) -> dict[str, Any]:
    hashes = pd.util.hash_pandas_object(pd.DataFrame(np.asarray(x, np.float32)), index=False)
    is_zero = np.concatenate(
        [~np.any(x[start : start + 4096], axis=1) for start in range(0, len(x), 4096)]
    )
    n_repeated = int((hashes.duplicated(keep=False).to_numpy() & ~is_zero).sum())
    row = {"width": x.shape[1], "missing": int(is_zero.sum()), "repeated": n_repeated}
    return {"modality": modality, **row}


def _warnings(dataset: Dataset, counts: dict[str, int], features: pd.DataFrame) -> list[str]:
    warnings = []
    if features.empty:
        warnings.append("There are no features: only models without them (bpr_mf, ...) can train.")
    for row in features.to_dict("records"):
        for what, why in (
            ("missing", "are all zero, as if missing"),
            ("repeated", "equal those of another item"),
        ):
            if row[what]:
                warnings.append(
                    f"{row['modality']} features of {row[what]} of {dataset.n_items} items {why}."
                )
    for split in ("valid", "test"):
        if not counts[split]:
            use = "chooses the best epoch" if split == "valid" else "is what results report"
            warnings.append(f"The {split} split is empty; it {use}.")
    paths = [path for path in dataset.items["image_path"] if path]
    opened = paths[:: max(1, len(paths) // PICTURES_OPENED)][:PICTURES_OPENED]
    problems = [problem for path in opened if (problem := _picture_problem(path))]
    if problems:
        warnings.append(
            f"{len(problems)} of {len(opened)} pictures that were tried cannot be shown, the "
            f"first: {problems[0]}"
        )
    return warnings


def _picture_problem(path: str) -> str:
    try:
        open_picture(path, side=32)
    except DataError as error:
        return str(error)
    return ""
