"""Norms, units and which features are hit: what perturbations and feature tables share."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import numpy as np

from engine.data.dataset import Dataset

Risk = Literal["inherent noise", "information adjustment", "adversarial"]
Norm = Literal["l2", "linf"]
Unit = Literal["row_norm", "global_max", "absolute"]

ALL_MODALITIES = ("all", "both")
"""Names that stand for every modality a model reads."""


class FeatureSelection(Protocol):
    """What a perturbation says of the features it hits."""

    title: ClassVar[str]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of modalities, or one of ALL_MODALITIES."""

    def hit_items(self, dataset: Dataset) -> np.ndarray | None:
        """Ids of the items that may be hit, or None for all."""


def hits(selection: FeatureSelection, modality: str) -> bool:
    """Whether a selection names a modality, or all."""
    return any(name == modality or name in ALL_MODALITIES for name in selection.modalities)


def length_unit(norm: Norm, unit: Unit) -> str:
    """What strength 1 means for a length in a norm and unit."""
    what = "L2 length of each row's change" if norm == "l2" else "largest change of a coordinate"
    relative = "row's L2 norm" if norm == "l2" else "row's root mean square"
    of = {
        "row_norm": f"relative to the {relative}",
        "global_max": "relative to the modality's largest absolute value",
        "absolute": "in the unit of the features as read",
    }[unit]
    return f"{what}, {of}"
