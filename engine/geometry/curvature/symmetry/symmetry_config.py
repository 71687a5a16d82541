"""By which rewritings of the factors the flatness measures are tried."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from engine.foundation.config import Config

LARGEST = 1e4
"""Some measures move with its fourth power, which float32 still holds."""


class SymmetryConfig(Config):
    """Which transformations, and on what the measures are computed."""

    scales: tuple[float, ...] = Field(default=(0.25, 4.0), min_length=1)
    """The c of ``U -> cU, V -> V/c``."""
    temperatures: tuple[float, ...] = Field(default=(0.25, 4.0), min_length=1)
    """The c of ``U -> cU``, which multiplies every score."""
    shifts: tuple[float, ...] = Field(default=(1.0, 5.0), min_length=1)
    """Lengths of the vector added to every item, in mean lengths of the item factors."""
    n_draws: int = Field(default=2, ge=1, le=20)
    """Random rotations, and random mixings."""
    condition: float = Field(default=4.0, ge=1.0, le=100.0)
    """Largest over smallest singular value of a mixing."""
    n_triples: int | None = Field(default=20_000, ge=1)
    """Fixed triples the loss is averaged over; none for all training pairs."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Decides triples, draws and starting vectors."""

    @model_validator(mode="after")
    def _are_within_rounding(self) -> Self:
        for name in ("scales", "temperatures"):
            for c in getattr(self, name):
                if not 1 / LARGEST <= c <= LARGEST:
                    raise ValueError(
                        f"{name} holds {c:g}; allowed is {1 / LARGEST:g} to {LARGEST:g}, beyond "
                        "which rounding would change the scores"
                    )
        if min(self.shifts) < 0 or max(self.shifts) > 100:
            raise ValueError(f"shifts holds {self.shifts}; allowed is 0 to 100 mean lengths")
        return self
