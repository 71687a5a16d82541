"""What every perturbation is: a config that, given a table and a draw, walks away from clean.

Strength is never part of a config. A config and a draw give a *path*; ``path.at(strength)`` is the
change at that strength, and strength 0 changes nothing at all. Three forms of path let the curves
compute only what a strength changes:

- ``Ray``: ``x_i + strength * d_i``; the directions are drawn (or found) once for all strengths;
- ``Replacement``: item i gets other features where the strength exceeds its threshold, so the set
  of changed items only grows with strength;
- ``Pointwise``: anything else, computed anew at each strength.

Shapes: n chosen items, F feature width, I all items.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.units import Norm, Risk, Unit, length_unit
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
LENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Change:
    """What differs from clean: distinct item ids int64 [n], and their features by modality [n, F].

    Modalities that are not named keep their clean features.
    """

    items: Tensor
    features: Features


class Path(Protocol):
    """One draw of a perturbation, at every strength."""

    def at(self, strength: float) -> Change:
        """The change at a strength >= 0; none (no item) at 0."""


@dataclass(frozen=True)
class Ray:
    """``x_i + strength * directions_i`` for the chosen items."""

    items: Tensor
    clean: Features
    """Clean features of the chosen items, by modality [n, F]."""
    directions: Features

    def at(self, strength: float) -> Change:
        if strength == 0:
            return nothing(self.items)
        moved = {m: self.clean[m] + strength * d for m, d in self.directions.items()}
        return Change(self.items, moved)


@dataclass(frozen=True)
class Replacement:
    """Item i has ``replaced_i`` instead of its own features where ``thresholds_i < strength``."""

    items: Tensor
    replaced: Features
    thresholds: Tensor
    """[n], in the unit of the strength, >= 0."""

    def rows(self, strength: float) -> Tensor:
        """Which of the chosen items are hit: row positions int64."""
        return torch.nonzero(self.thresholds < strength).flatten().to(self.items.device)

    def at(self, strength: float) -> Change:
        rows = self.rows(strength)
        return Change(
            self.items.index_select(0, rows),
            {m: x.index_select(0, rows) for m, x in self.replaced.items()},
        )


@dataclass(frozen=True)
class Pointwise:
    """Features of the chosen items at each strength, from a function of the strength alone."""

    items: Tensor
    features_at: Callable[[float], Features]

    def at(self, strength: float) -> Change:
        if strength == 0:
            return nothing(self.items)
        return Change(self.items, self.features_at(strength))


def changed_features(features: Features, change: Change) -> dict[str, Tensor]:
    """All features [I, F] by modality with a change put in place; always copies."""
    return {
        m: x.index_copy(0, change.items, change.features[m])
        if m in change.features and len(change.items)
        else x.clone()
        for m, x in features.items()
    }


def nothing(like: Tensor) -> Change:
    """The empty change, with ids on the device of ``like``."""
    return Change(like.new_empty(0), {})


class PerturbationConfig(Config, ABC):
    """Base of all perturbations; each has a Literal ``name`` and a file of its own."""

    title: ClassVar[str]
    """What figures call it."""
    risk: ClassVar[Risk]
    """Which of the risks of docs/method.md, section 9 it stands for."""
    strengths: ClassVar[tuple[float, ...]] = LENGTHS
    """The strengths of a curve that names none; the first is 0."""

    name: str
    """The kind, by which configs are told apart in JSON."""
    modalities: tuple[str, ...] = ("all",)
    """Which features are hit: names of the dataset's modalities, such as image or text, or all;
    those that the model does not read are left out."""
    items: tuple[int, ...] | None = None
    """Ids of the items that may be hit, or none for all items."""

    @property
    def is_drawn(self) -> bool:
        """Whether draws differ; an attack without random starts has one draw."""
        return True

    def hit_items(self, dataset: Dataset) -> np.ndarray | None:
        """Ids of the items that may be hit, or None for all."""
        del dataset
        return None if self.items is None else np.unique(np.array(self.items, dtype=np.int64))

    @property
    @abstractmethod
    def strength_unit(self) -> str:
        """What strength 1 means, in words."""

    @property
    def strength_limit(self) -> float | None:
        """The largest strength that means anything (1 for a share), or None."""
        return None

    @abstractmethod
    def path(self, table: FeatureTable, seed: int, draw: int) -> Path:
        """One draw. Equal seeds and draws give equal paths for every run on equal features.

        Attacks follow a model, so they take no table but the model under test.
        """

    def control(self, dataset: Dataset) -> PerturbationConfig | None:
        """The random perturbation of equal norm that is always drawn beside an attack."""
        del dataset
        return None


class ShareConfig(PerturbationConfig):
    """Base of perturbations whose strength is a share, 0 to 1."""

    strengths: ClassVar[tuple[float, ...]] = SHARES

    @property
    def strength_unit(self) -> str:
        return "share of the chosen items"

    @property
    def strength_limit(self) -> float | None:
        return 1.0


class LengthConfig(PerturbationConfig):
    """Base of perturbations whose strength is the length of each row's change."""

    unit: Unit = "row_norm"
    """``row_norm``: strength times the item's own feature length; ``global_max``: times the largest
    absolute value of the whole modality (AMR's released code, where epsilon is 0.1); ``absolute``:
    the unit of the features as the model reads them."""

    @property
    def strength_unit(self) -> str:
        return length_unit("l2", self.unit)


class NormConfig(LengthConfig):
    """Base of perturbations bounded in a norm that can be chosen."""

    norm: Norm = "l2"
    """``l2``: length of each row's change; ``linf``: largest change of any one coordinate. Relative
    to the row, L-infinity is counted in the row's root mean square, so that a change of every
    coordinate by that much has the L2 length of the same strength."""

    @property
    def strength_unit(self) -> str:
        return length_unit(self.norm, self.unit)


def check_strength(config: PerturbationConfig, strength: float) -> None:
    """Raises ConfigError for a strength that the kind cannot have."""
    limit = config.strength_limit
    if not (strength >= 0 and (limit is None or strength <= limit)):
        allowed = "0 or more" if limit is None else f"between 0 and {limit:g}"
        raise ConfigError(
            f"{config.title}: strength {strength} ({config.strength_unit}) must be {allowed}."
        )
