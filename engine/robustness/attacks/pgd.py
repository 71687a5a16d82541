"""Projected gradient ascent on features: many small steps (Madry et al., arXiv 1706.06083)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import Field

from engine.robustness.attacks.attack import AttackConfig, ChangeAt
from engine.robustness.attacks.row_spaces import Rows, RowSpace


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

    def changes(
        self,
        new_space: Callable[[], RowSpace],
        lengths: Callable[[float], Rows],
        seed: int,
        draw: int,
    ) -> ChangeAt:
        spaces = [new_space() for _ in range(self.restarts)]
        _, gradient = spaces[0].value_and_gradient(spaces[0].zero())
        directions = [gradient]
        for start in range(1, self.restarts):
            directions.append(spaces[start].random(seed + 1, draw * 1000 + start))

        def change_at(strength: float) -> tuple[RowSpace, Rows]:
            radii = lengths(strength)
            best_value, best = -float("inf"), (spaces[0], spaces[0].zero())
            for space, direction in zip(spaces, directions, strict=True):
                ball = self._ball(space, radii)
                change = ball.step(direction)
                for index in range(self.steps + 1):
                    value, gradient = space.value_and_gradient(change)
                    if value > best_value:
                        best_value, best = value, (space, change)
                    if index < self.steps:
                        along = ball.step(gradient, self.step_size)
                        change = ball.inside({m: d + along[m] for m, d in change.items()})
            return best

        return change_at
