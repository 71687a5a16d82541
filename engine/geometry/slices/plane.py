"""A plane (or line) through a run's weights, and the factors at its points.

Legend: U users, I items, D factor width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.features import Features
from engine.geometry.slices.affine_grid import FactorStep
from engine.geometry.theta import AffineFactors, Theta, displace, factors_at
from engine.training import Trained


@dataclass(frozen=True)
class Plane:
    """``origin + alpha * first + beta * second`` in the weights of a run's model."""

    trained: Trained
    origin: Theta
    directions: tuple[Theta, ...]
    """One for a line, two for a plane."""
    label: str = ""

    def theta(self, *steps: float) -> dict[str, Tensor]:
        """The weights at a point."""
        theta = dict(self.origin)
        for direction, step in zip(self.directions, steps, strict=False):
            theta = displace(theta, direction, step)
        return theta


class FactorPlane:
    """The factors on a plane: three forward passes for all points of an affine model, otherwise
    one for each point."""

    def __init__(self, plane: Plane, features: Features | None = None) -> None:
        self.plane = plane
        self.features = features
        self.steps: list[FactorStep] = []
        if plane.trained.model.affine:
            with torch.no_grad():
                self.steps.append(factors_at(plane.trained, plane.origin, features))
            affine = AffineFactors(plane.trained, features)
            self.steps += [affine.step(direction) for direction in plane.directions]

    @property
    def is_exact(self) -> bool:
        """Whether ``steps`` describe every point."""
        return bool(self.steps)

    def at(self, *steps: float) -> tuple[Tensor, Tensor]:
        """User factors [U, D] and item factors [I, D] at a point."""
        if not self.steps:
            with torch.no_grad():
                return factors_at(self.plane.trained, self.plane.theta(*steps), self.features)
        users, items = self.steps[0]
        for (users_step, items_step), step in zip(self.steps[1:], steps, strict=False):
            users = torch.add(users, users_step, alpha=step)
            items = torch.add(items, items_step, alpha=step)
        return users, items
