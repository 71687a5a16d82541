"""Interleaved timing, and rows that say what was measured against what."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch

from engine.data import Dataset, find_datasets, read_dataset, synthetic
from engine.foundation.devices import resolve_device
from engine.foundation.errors import DataError


@dataclass(frozen=True)
class Row:
    """One ratio; ``value`` and ``floor`` in ``unit``, ``target`` the largest ratio aimed at."""

    name: str
    value: float
    floor: float
    ratio: float
    target: float | None
    unit: str = "s"


SIZES = ("sample", "baby", "sports")
"""Datasets that are there, or can be made, on every machine."""


def options(
    description: str, argv: Sequence[str], sizes: Sequence[str] = SIZES
) -> argparse.Namespace:
    """The options that all benchmarks share; ConfigError for a device that is not here."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--size", default="baby", choices=sizes)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "mps"])
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved repetitions")
    given, _ = parser.parse_known_args(list(argv))
    resolve_device(given.device)
    torch.set_num_threads(given.threads)
    return given


def dataset_of(size: str) -> Dataset:
    """The built-in sample, ml100k-posters where it is found, or synthetic data of Amazon Baby's or
    Sports' size.

    Raises DataError where ml100k-posters is neither in BASIN_DATA nor in ../shared/data.
    """
    if size == "sample":
        return read_dataset("sample")
    if size == "posters":
        found = [path for label, path in find_datasets() if label == "ml100k-posters"]
        if not found:
            raise DataError("ml100k-posters is neither in BASIN_DATA nor in ../shared/data.")
        return read_dataset(found[0])
    users, items, pairs = {"baby": (19_445, 7_050, 160_792), "sports": (35_598, 18_357, 296_337)}[
        size
    ]
    return synthetic(users, items, pairs, image_width=4096, text_width=384, seed=0)


def interleaved(work: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each piece of work, round by round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for round_ in range(rounds + 1):
        for name, function in work.items():
            started = time.perf_counter()
            function()
            if round_:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def against(
    seconds: Mapping[str, list[float]],
    name: str,
    floor: str,
    target: float | None,
    scale: float = 1.0,
    label: str = "",
) -> Row:
    """A row from the medians of two pieces of work; ``scale`` multiplies the floor."""
    value = statistics.median(seconds[name])
    below = statistics.median(seconds[floor]) * scale
    ratios = [a / (b * scale) for a, b in zip(seconds[name], seconds[floor], strict=True)]
    return Row(label or name, value, below, statistics.median(ratios), target)


def report(rows: Sequence[Row], given: argparse.Namespace) -> int:
    """Print the rows; 1 where ``--check`` was asked for and a ratio exceeds its target."""
    missed = [row for row in rows if row.target is not None and row.ratio > row.target]
    for row in rows:
        if given.json:
            print(json.dumps(asdict(row)))
            continue
        aim = "" if row.target is None else f"  target {row.target:g}"
        verdict = "" if row.target is None else ("  MISSED" if row in missed else "  ok")
        print(
            f"{row.name:44s} {row.value:10.4g} {row.unit}  floor {row.floor:10.4g} {row.unit}  "
            f"ratio {row.ratio:6.3f}{aim}{verdict}"
        )
    return 1 if given.check and missed else 0
