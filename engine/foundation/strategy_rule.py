"""Which runs are one strategy under several seeds: the one rule, for whatever describes runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_A_DIFFERENCE = (
    "seed", "device", "deterministic", "checkpoint_every", "snapshots_every",
)  # fmt: skip
"""Settings that runs of one strategy may differ in: they change neither what is minimised nor how
it steps."""

OF_EACH_SEED = ("match_gradient_passes", "start_from")
"""Settings whose value belongs to one seed, so that only whether they are set tells strategies
apart: a compute-matched run takes as many passes as the run of its own seed that it was matched to.
Which strategy that was stands in the run's name alone."""

SEED_IN_NAME = re.compile(r"[\s\-_,/(#]+(seed|s)[\s\-_=:#]*\d+\)?$", re.IGNORECASE)


@dataclass(frozen=True)
class TrainedAs:
    """What the rule reads of a run."""

    name: str
    settings: Mapping[str, Any]
    """The training config as plain values; nested or with dotted names."""
    dataset: str = ""
    """The dataset's fingerprint."""
    order: str = ""
    """Sorts runs by age, e.g. the id; runs of equal order stay as they are listed."""


def strategy_names(runs: Sequence[TrainedAs]) -> list[str]:
    """The strategy of each run.

    Runs of one dataset whose settings differ in nothing but ``NOT_A_DIFFERENCE`` are seeds of one
    strategy, whatever they are called; a setting that is unset equals one that was unknown when the
    run was made. A strategy is called as its oldest run is, without the seed; a later strategy of
    the same name gets a number.
    """
    names: dict[tuple[str, ...], str] = {}
    taken: Counter[str] = Counter()
    keys = [_key(run) for run in runs]
    for place in sorted(range(len(runs)), key=lambda place: runs[place].order):
        if keys[place] not in names:
            name = without_seed(runs[place].name) or "strategy"
            taken[name] += 1
            names[keys[place]] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    return [names[key] for key in keys]


def without_seed(name: str) -> str:
    """A run's name without its seed: ``plain`` of ``plain, seed 3``, ``plain-s3``."""
    return SEED_IN_NAME.sub("", name)


def _key(run: TrainedAs) -> tuple[str, ...]:
    settings = {
        name: value for name, value in _set(run.settings).items() if name not in NOT_A_DIFFERENCE
    }
    of_seed = [name for name in OF_EACH_SEED if settings.pop(name, None) is not None]
    based_on = without_seed(run.name) if of_seed else ""
    return run.dataset, json.dumps(settings, sort_keys=True, default=str), *of_seed, based_on


def _set(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings that have a value, by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _set(value, f"{prefix}{name}.")
        elif value is not None and value == value:  # NaN is how a table says that it is unset
            flat[f"{prefix}{name}"] = value
    return flat
