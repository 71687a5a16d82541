"""A sweep: many configs from one, by grid or at random."""

from __future__ import annotations

import itertools
import math
from typing import Any, Self

from pydantic import Field, model_validator

from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator
from engine.training.config import TrainConfig
from engine.training.presets import preset

Plain = float | int | str | bool | None


class Range(Config):
    """An interval to draw a number from."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    log: bool = False
    """Draw uniformly in the logarithm; for rates and other values over several decades."""
    whole: bool = False
    """Round to whole numbers."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.high < self.low or (self.log and self.low <= 0):
            raise ValueError(f"{self.low:g} to {self.high:g} is not a range (log needs low > 0)")
        return self


class SweepConfig(Config):
    """Which configs are trained. Grid fields multiply; random ones are drawn for each sample."""

    presets: tuple[str, ...] = Field(default=("plain",), min_length=1)
    """Presets to start from; each is swept."""
    settings: dict[str, Plain] = Field(default_factory=dict)
    """Settings that all runs share, by dotted name."""
    grid: dict[str, tuple[Plain, ...]] = Field(default_factory=dict)
    """Values of each grid field, by dotted name. A field that a preset lacks is passed over for
    that preset, e.g. the adversary's epsilon for plain training."""
    random: dict[str, Range] = Field(default_factory=dict)
    """Ranges of random fields, by dotted name."""
    n_samples: int = Field(default=1, ge=1, le=100_000)
    """Draws of the random fields for each grid point."""
    n_seeds: int = Field(default=1, ge=1, le=1000)
    """Runs of each config, with seeds from ``first_seed`` on."""
    first_seed: int = Field(default=0, ge=0)
    """Seed of each config's first run; also decides the random draws."""


def planned(sweep: SweepConfig) -> list[tuple[str, TrainConfig]]:
    """Every run of a sweep: what its config is called, and the config with its seed.

    The name is the preset and what was swept, e.g. ``mg, stepper.alpha2=0.1``; equal for runs that
    differ in the seed only. Raises ConfigError where a field is in no preset, or a value not
    allowed.
    """
    runs: list[tuple[str, TrainConfig]] = []
    used: set[str] = set()
    for name in sweep.presets:
        start = preset(name).changed(sweep.settings)
        grid = {f: v for f, v in sweep.grid.items() if _has(start, f)}
        ranges = {f: r for f, r in sweep.random.items() if _has(start, f)}
        used |= grid.keys() | ranges.keys()
        draws = numpy_generator(sweep.first_seed, f"sweep {name}")
        for point in itertools.product(*grid.values()):
            for _ in range(sweep.n_samples if ranges else 1):
                values: dict[str, Any] = dict(zip(grid, point, strict=True))
                values |= {field: _draw(draws.random(), r) for field, r in ranges.items()}
                label = ", ".join([name, *(f"{f}={_short(v)}" for f, v in values.items())])
                config = start.changed(values)
                for seed in range(sweep.first_seed, sweep.first_seed + sweep.n_seeds):
                    runs.append((label, config.changed({"seed": seed})))
    unused = (sweep.grid.keys() | sweep.random.keys()) - used
    if unused:
        raise ConfigError(
            f"{', '.join(sorted(unused))}: no such setting in {', '.join(sweep.presets)}."
        )
    return runs


def _has(config: TrainConfig, path: str) -> bool:
    node: Any = config.model_dump(mode="json")
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _draw(share: float, range_: Range) -> float | int:
    if range_.log:
        value = math.exp(math.log(range_.low) + share * math.log(range_.high / range_.low))
    else:
        value = range_.low + share * (range_.high - range_.low)
    return round(value) if range_.whole else float(f"{value:.6g}")


def _short(value: Plain) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
