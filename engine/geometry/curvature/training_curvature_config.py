"""What is asked of the curvature along a run's training."""

from __future__ import annotations

from pydantic import Field

from engine.foundation.config import Config


class TrainingCurvatureConfig(Config):
    """At how many of the kept snapshots, and on what, curvature is measured."""

    n_snapshots: int = Field(default=25, ge=2, le=500)
    """Most snapshots, spread evenly over those that were kept; the last is always among them."""
    n_triples: int | None = Field(default=20_000, ge=1)
    """Fixed training triples the loss is averaged over; none for all training pairs."""
    tolerance: float = Field(default=1e-2, gt=0, lt=1)
    """Relative error allowed on each eigenvalue."""
    max_products: int = Field(default=200, ge=10)
    """Most Hessian-vector products for each eigenvalue."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples and starting vectors."""
