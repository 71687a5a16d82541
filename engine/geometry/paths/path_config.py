"""What is asked of the curve between two runs."""

from __future__ import annotations

from pydantic import Field

from engine.foundation.config import Config


class ModePathConfig(Config):
    """How the curve between two runs is trained and looked at."""

    n_steps: int = Field(default=100, ge=0)
    """Adam steps on the control point."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Adam's step size, in units of the weights."""
    batch_size: int = Field(default=16_384, ge=1)
    """Triples a step, from the frozen ones, at one random place t of the curve."""
    n_points: int = Field(default=41, ge=3)
    """Places at which both curves are measured, ends included."""
    n_triples: int | None = Field(default=50_000, ge=1)
    """Frozen triples; none for all pairs."""
    cutoff: int = Field(default=20, ge=1, le=1000)
    """The k of the validation recall@k measured along both ways."""
    n_users: int | None = Field(default=1_000, ge=1)
    """Users that recall is averaged over, drawn once; none for all with validation items."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples, users, batches and places."""
