"""Paths of a perturbation seen after a linear projection, at its width.

Shapes: n chosen items, P width of the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from engine.robustness.perturbed_model.model_under_test import ModelUnderTest


class ProjectedPath(Protocol):
    """A path seen after the projection: how the chosen items' rows of ``A x`` move."""

    @property
    def items(self) -> Tensor:
        """Ids of the chosen items, int64 [n]."""

    def at(self, strength: float) -> Tensor:
        """``A (x' - x)`` of the chosen items [n, P] at a strength > 0."""


@dataclass(frozen=True)
class ProjectedRay:
    """``strength * A d_i``, with ``A d_i`` given as ``directions`` [n, P]."""

    items: Tensor
    directions: Tensor

    def at(self, strength: float) -> Tensor:
        return strength * self.directions


@dataclass(frozen=True)
class ProjectedPointwise:
    """Any other projected path."""

    items: Tensor
    moved_by: Callable[[float], Tensor]

    def at(self, strength: float) -> Tensor:
        return self.moved_by(strength)


@runtime_checkable
class ProjectedPerturbation(Protocol):
    """A perturbation that can be computed at the width of a linear projection."""

    def projected_path(self, model: ModelUnderTest, seed: int, draw: int) -> ProjectedPath | None:
        """The same draw as ``path`` seen after the projection where that is exact, or None.

        Asked only of models that are a linear projection.
        """
