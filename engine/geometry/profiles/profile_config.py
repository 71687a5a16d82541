"""What is asked of a profile: directions, points, triples."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from engine.foundation.config import Config


class ProfileConfig(Config):
    """The loss along a run's own sharpest direction, and along random ones."""

    n_points: int = Field(default=61, ge=5, le=1001)
    """Points of each profile; odd, so that the weights themselves are one."""
    n_random: int = Field(default=20, ge=0, le=200)
    """Random directions, averaged; 0 for none."""
    reach: float = Field(default=1.5, gt=0, le=10)
    """How far a profile goes, as a multiple of the distance at which the loss along the sharpest
    direction has doubled."""
    n_triples: int | None = Field(default=50_000, ge=1)
    """Frozen training triples the loss is averaged over; none for all training pairs."""
    tolerance: float = Field(default=1e-2, gt=0, lt=1)
    """Relative error allowed on the eigenvalue of the sharpest direction."""
    max_products: int = Field(default=200, ge=10)
    """Most products with the Hessian for it."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples, the starting vector and the random directions."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.n_points % 2 == 0:
            raise ValueError(f"n_points is {self.n_points}; it must be odd, e.g. 41 or 61")
        return self
