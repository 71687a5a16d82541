"""A sweep: many configs from one, by grid or at random."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Self, get_origin

from pydantic import Field, model_validator

from engine.foundation.config import Config, fields_of
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator
from engine.training.presets import preset
from engine.training.train_config import TrainConfig

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
    """Values of each grid field, by dotted name; of a field that takes a list, ``a+b``. Where a
    config lacks a field it is passed over, e.g. the adversary's epsilon in plain training."""
    random: dict[str, Range | tuple[Plain, ...]] = Field(default_factory=dict)
    """What random fields are drawn from, by dotted name: a range, or values of equal chance."""
    n_samples: int = Field(default=1, ge=1, le=100_000)
    """Draws of the random fields for each grid point."""
    n_seeds: int = Field(default=1, ge=1, le=1000)
    """Runs of each config, with seeds from ``first_seed`` on."""
    first_seed: int = Field(default=0, ge=0)
    """Seed of each config's first run; also decides the random draws."""


def plan_runs(sweep: SweepConfig) -> list[tuple[str, TrainConfig]]:
    """Every run of a sweep: what its config is called, and the config with its seed.

    The name is the preset and what was swept, e.g. ``mg, stepper.alpha2=0.1``; equal for runs that
    differ in the seed only. Points and draws that come to the same config are planned once. Raises
    ConfigError where a field is in no config, or a value not allowed.
    """
    runs: dict[TrainConfig, str] = {}
    used: set[str] = set()
    for name in sweep.presets:
        start = preset(name).changed(_lists_split(sweep.settings))
        draws = numpy_generator(sweep.first_seed, f"sweep {name}")
        for point in itertools.product(*sweep.grid.values()):
            for _ in range(sweep.n_samples if sweep.random else 1):
                values: dict[str, Any] = dict(zip(sweep.grid, point, strict=True))
                values |= {field: _draw(draws.random(), r) for field, r in sweep.random.items()}
                config, settings = _with_what_it_has(start, values)
                used |= settings.keys()
                label = ", ".join([name, *(f"{f}={_short(v)}" for f, v in settings.items())])
                for seed in range(sweep.first_seed, sweep.first_seed + sweep.n_seeds):
                    runs.setdefault(config.changed({"seed": seed}), label)
    unused = (sweep.grid.keys() | sweep.random.keys()) - used
    if unused:
        raise ConfigError(
            f"{', '.join(sorted(unused))}: no such setting in {', '.join(sweep.presets)}."
        )
    return [(label, config) for config, label in runs.items()]


def _with_what_it_has(
    start: TrainConfig, values: Mapping[str, Any]
) -> tuple[TrainConfig, dict[str, Any]]:
    """A config with those of the values that it has a field for, and these values.

    Choices come first, since what else there is to set depends on them.
    """
    choices = {field.path for field in fields_of(TrainConfig) if field.choices_of_config}
    config = start
    for path in sorted(choices & values.keys()):
        if _has(config, path):
            config = config.changed({path: values[path]})
    settings = {path: value for path, value in values.items() if _has(config, path)}
    rest = {path: value for path, value in settings.items() if path not in choices}
    return config.changed(_lists_split(rest)), settings


def _has(config: TrainConfig, path: str) -> bool:
    node: Any = config.model_dump(mode="json")
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _lists_split(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with ``a+b`` as a list where the field takes one."""
    takes_list = {
        field.path for field in fields_of(TrainConfig) if get_origin(field.annotation) is tuple
    }
    return {
        path: value.split("+") if path in takes_list and isinstance(value, str) else value
        for path, value in values.items()
    }


def _draw(share: float, range_: Range | tuple[Plain, ...]) -> Plain:
    """What stands at a share, 0 to 1, of the range or the values."""
    if isinstance(range_, tuple):
        return range_[int(share * len(range_))]
    if range_.log:
        value = math.exp(math.log(range_.low) + share * math.log(range_.high / range_.low))
    else:
        value = range_.low + share * (range_.high - range_.low)
    return round(value) if range_.whole else float(f"{value:.6g}")


def _short(value: Plain) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
