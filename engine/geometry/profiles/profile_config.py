"""What is asked of the profiles of the loss around the weights of runs."""

from __future__ import annotations

from pydantic import Field

from engine.foundation.config import Config


class ProfileConfig(Config):
    """Straight lines through each run's factors, at calibrated temperature."""

    radius: float | None = Field(default=None, gt=0)
    """Half-width of the axis, in lengths of score changes; none finds where the loss of the
    sharpest run has doubled along its own sharpest direction."""
    n_points: int = Field(default=61, ge=5, le=401)
    """Distances, odd, so that the weights themselves are among them."""
    n_directions: int = Field(default=20, ge=2, le=200)
    """Random directions the mean and the band are over."""
    n_triples: int | None = Field(default=20_000, ge=1)
    """Frozen training triples; none for one of each training pair."""
    tolerance: float = Field(default=1e-3, gt=0, lt=1)
    """Relative error of the eigenvalue whose direction is taken."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples and random directions."""
