"""Changes of the attacked rows, at full feature width or at the width of a linear projection.

A change is one tensor a modality, so that an attack adds, scales and measures changes without
knowing which of the two it holds. Shapes: n attacked items, F feature width, P projection width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from engine.data.features import Features
from engine.data.perturbations.feature_table import normal
from engine.robustness.attacks.attacked_goal import AttackedGoal

Rows = dict[str, Tensor]
"""By modality [n, W]; W is F at full width, P + 1 at the projection's."""


class RowSpace(ABC):
    """The space that an attack moves in, and the goal there."""

    def __init__(self, attacked: AttackedGoal) -> None:
        self.attacked = attacked

    @abstractmethod
    def zero(self) -> Rows:
        """No change."""

    @abstractmethod
    def random(self, seed: int, index: int) -> Rows:
        """A standard normal change; the same for equal seeds and indices."""

    @abstractmethod
    def value_and_gradient(self, change: Rows) -> tuple[float, Rows]:
        """The goal after a change, and its gradient by the rows."""

    @abstractmethod
    def squared_norms(self, modality: str, rows: Tensor) -> Tensor:
        """Squared L2 norms [n] of the feature rows that ``rows`` stand for."""

    @abstractmethod
    def deltas(self, change: Rows) -> Features:
        """What a change adds to the attacked features [n, F], by modality."""


class FullWidth(RowSpace):
    """Changes are held as they are: [n, F]."""

    def zero(self) -> Rows:
        return {m: torch.zeros_like(x) for m, x in self.attacked.clean.items()}

    def random(self, seed: int, index: int) -> Rows:
        model, items = self.attacked.model, self.attacked.items
        return {m: normal(model, m, items, seed, index) for m in self.attacked.modalities}

    def value_and_gradient(self, change: Rows) -> tuple[float, Rows]:
        return self.attacked.by_features({m: self.attacked.clean[m] + d for m, d in change.items()})

    def squared_norms(self, modality: str, rows: Tensor) -> Tensor:
        return rows.square().sum(dim=1)

    def deltas(self, change: Rows) -> Features:
        return change


class ProjectedWidth(RowSpace):
    """Changes ``A^T c + a z`` held as ``[c | a]`` [n, P + 1], for one random ``z`` a row: exact.

    Every gradient by the features is ``A^T`` times one by the projected features, so attacks from
    clean rows or from ``z`` never leave that form. With the Gram matrix ``K = A A^T`` the squared
    norm is ``c K c + 2 a c.(A z) + a^2 ||z||^2`` and the projection moves by ``K c + a A z``.
    """

    def __init__(self, attacked: AttackedGoal) -> None:
        super().__init__(attacked)
        self.grams = attacked.model.grams
        self.directions: Rows = {}
        """``z`` [n, F] by modality, once drawn."""
        self._projected: Rows = {}
        self._squares: Rows = {}

    def zero(self) -> Rows:
        rows = self.attacked.model.projected_features[self.attacked.items]
        zero = torch.zeros(len(rows), rows.shape[1] + 1, device=rows.device, dtype=rows.dtype)
        return dict.fromkeys(self.attacked.modalities, zero)

    def random(self, seed: int, index: int) -> Rows:
        """Raises RuntimeError where a direction was drawn already: a space holds one."""
        if self.directions:
            raise RuntimeError("a projected space holds one random direction; make another space")
        linear = self.attacked.model.linear
        assert linear is not None
        self.directions = FullWidth(self.attacked).random(seed, index)
        weights = linear.projection_weights()
        for m, z in self.directions.items():
            self._projected[m] = z @ weights[m].T
            self._squares[m] = z.square().sum(dim=1)
        change = {m: rows.clone() for m, rows in self.zero().items()}
        for rows in change.values():
            rows[:, -1] = 1.0
        return change

    def value_and_gradient(self, change: Rows) -> tuple[float, Rows]:
        value, gradient = self.attacked.by_projected(self.projected_shift(change))
        rows = torch.cat([gradient, gradient.new_zeros(len(gradient), 1)], dim=1)
        return value, dict.fromkeys(change, rows)

    def squared_norms(self, modality: str, rows: Tensor) -> Tensor:
        c, a = rows[:, :-1], rows[:, -1]
        squares = ((c @ self.grams[modality]) * c).sum(dim=1)
        if self.directions:
            cross = (c * self._projected[modality]).sum(dim=1)
            squares = squares + 2 * a * cross + a.square() * self._squares[modality]
        return squares.clamp_min(0)

    def projected_shift(self, change: Rows) -> Tensor:
        """``A (x' - x)`` [n, P], summed over the modalities."""
        parts = []
        for m, rows in change.items():
            parts.append(rows[:, :-1] @ self.grams[m])
            if self.directions:
                parts.append(rows[:, -1:] * self._projected[m])
        return torch.stack(parts).sum(0)

    def deltas(self, change: Rows) -> Features:
        linear = self.attacked.model.linear
        assert linear is not None
        weights = linear.projection_weights()
        deltas: Features = {}
        for m, rows in change.items():
            deltas[m] = rows[:, :-1] @ weights[m]
            if self.directions:
                deltas[m] = deltas[m] + rows[:, -1:] * self.directions[m]
        return deltas
