"""Projected gradient ascent on features: many small steps (Madry et al., arXiv 1706.06083)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.data.perturbations.feature_table import FeatureTable, normal
from engine.data.perturbations.perturbation import Pointwise
from engine.robustness.attacks.attack import AttackConfig, AttackedGoal
from engine.robustness.attacks.fgsm import projected_step, step
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_perturbation import (
    ProjectedPath,
    ProjectedPointwise,
)


class PGDConfig(AttackConfig):
    """Several steps, each followed by a return into the ball; the best point seen is kept.

    The first start is the one-step attack itself, so PGD is never weaker than FGSM on the goal it
    raises; further starts are random points of the ball's surface.
    """

    title: ClassVar[str] = "PGD"

    name: Literal["pgd"] = "pgd"
    steps: int = Field(default=10, ge=1, le=200)
    """Gradient steps from each start."""
    step_size: float = Field(default=0.25, gt=0, le=2)
    """Length of a step, as a share of the ball's radius (2.5 / steps in Madry et al.)."""
    restarts: int = Field(default=1, ge=1, le=20)
    """Starts; the best result over all of them counts."""

    @property
    def is_drawn(self) -> bool:
        return self.restarts > 1

    def path(self, table: FeatureTable, seed: int, draw: int) -> Pointwise:
        model = ModelUnderTest.of(table)
        attacked = AttackedGoal(model, self)
        directions = {
            m: model.lengths(m, attacked.items, self.norm, self.unit) for m in attacked.modalities
        }

        def at(strength: float) -> Features:
            radii = {m: strength * length for m, length in directions.items()}
            best_value, best = -float("inf"), attacked.clean
            for start in range(self.restarts):
                deltas = self._start(attacked, radii, seed, draw, start)
                for index in range(self.steps + 1):
                    rows = {m: attacked.clean[m] + d for m, d in deltas.items()}
                    value, gradients = attacked.by_features(rows)
                    if value > best_value:
                        best_value, best = value, rows
                    if index < self.steps:
                        deltas = {
                            m: self._inside(
                                d + step(gradients[m], self.step_size * radii[m], self.norm),
                                radii[m],
                            )
                            for m, d in deltas.items()
                        }
            return best

        return Pointwise(attacked.items, at)

    def _start(
        self, attacked: AttackedGoal, radii: Features, seed: int, draw: int, start: int
    ) -> Features:
        if start == 0:
            _, gradients = attacked.by_features(attacked.clean)
            return {m: step(g, radii[m], self.norm) for m, g in gradients.items()}
        noise = self._noise(attacked, seed, draw, start)
        return {m: step(z, radii[m], self.norm) for m, z in noise}

    def _noise(
        self, attacked: AttackedGoal, seed: int, draw: int, start: int
    ) -> list[tuple[str, Tensor]]:
        index = draw * 1000 + start
        return [
            (m, normal(attacked.model, m, attacked.items, seed + 1, index))
            for m in attacked.modalities
        ]

    def _inside(self, deltas: Tensor, radii: Tensor) -> Tensor:
        """The nearest point of the ball, row by row."""
        if self.norm == "linf":
            return torch.maximum(torch.minimum(deltas, radii[:, None]), -radii[:, None])
        norms = torch.linalg.vector_norm(deltas, dim=1)
        return torch.where((norms > radii)[:, None], of_length(deltas, radii), deltas)

    def projected(self, model: ModelUnderTest, seed: int, draw: int) -> ProjectedPath | None:
        """L2 only: every iterate is ``a z + A^T c`` with z the random start, so it is carried as
        (a, c), with ``||a z + A^T c||^2 = a^2 ||z||^2 + 2 a c.(A z) + c^T K c``; exact."""
        if self.norm != "l2":
            return None
        attacked = AttackedGoal(model, self)
        starts = {
            start: {m: _Start.of(model, m, z) for m, z in self._noise(attacked, seed, draw, start)}
            for start in range(1, self.restarts)
        }
        zero = torch.zeros_like(model.projected[attacked.items])

        def at(strength: float) -> Tensor:
            radii = {
                m: strength * model.lengths(m, attacked.items, "l2", self.unit)
                for m in attacked.modalities
            }
            best_value, best = -float("inf"), zero
            for start in range(self.restarts):
                if start == 0:
                    _, gradient = attacked.by_projected(zero)
                    points = {
                        m: _Iterate(
                            model.grams[m], projected_step(gradient, model.grams[m], radii[m])
                        )
                        for m in attacked.modalities
                    }
                else:
                    points = {
                        m: _Iterate(model.grams[m], zero, starts[start][m], radii[m])
                        for m in attacked.modalities
                    }
                for index in range(self.steps + 1):
                    moved = torch.stack([p.moved for p in points.values()]).sum(0)
                    value, gradient = attacked.by_projected(moved)
                    if value > best_value:
                        best_value, best = value, moved
                    if index < self.steps:
                        for m, point in points.items():
                            point.advance(
                                projected_step(gradient, point.gram, self.step_size * radii[m]),
                                radii[m],
                            )
            return best

        return ProjectedPointwise(attacked.items, at)


class _Start:
    """A random unit direction z of full width, as the projection sees it."""

    def __init__(self, projected: Tensor) -> None:
        self.projected = projected
        """``A z`` [n, P]; the length of z is 1."""

    @staticmethod
    def of(model: ModelUnderTest, modality: str, z: Tensor) -> _Start:
        assert model.linear is not None
        unit = of_length(z, torch.ones(len(z), device=z.device, dtype=z.dtype))
        return _Start(unit @ model.linear.projection_weights()[modality].T)


class _Iterate:
    """``delta = a z + A^T c`` of one modality, by its a [n] and c [n, P]."""

    def __init__(
        self, gram: Tensor, c: Tensor, start: _Start | None = None, a: Tensor | None = None
    ) -> None:
        self.gram, self.c, self.start, self.a = gram, c, start, a

    @property
    def moved(self) -> Tensor:
        """``A delta`` [n, P]."""
        moved = self.c @ self.gram
        if self.start is not None and self.a is not None:
            moved = moved + self.a[:, None] * self.start.projected
        return moved

    def advance(self, step_c: Tensor, radii: Tensor) -> None:
        """Add a step and go back to the nearest point of the ball."""
        self.c = self.c + step_c
        squared = ((self.c @ self.gram) * self.c).sum(dim=1)
        if self.start is not None and self.a is not None:
            cross = (self.c * self.start.projected).sum(dim=1)
            squared = squared + 2 * self.a * cross + self.a.square()
        norms = squared.clamp_min(0).sqrt()
        shrink = torch.where(norms > radii, radii / torch.where(norms > 0, norms, 1.0), 1.0)
        self.c = self.c * shrink[:, None]
        if self.a is not None:
            self.a = self.a * shrink
