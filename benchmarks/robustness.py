"""Robustness: the default curves and the slider, each beside a naive full evaluation.

``python -m benchmarks robustness [--json] [--check] [--size sample|ml100k|baby]``

The floor does the same with nothing reused: for every cell it draws (or attacks) anew at the full
feature width, runs the whole model and evaluates all lists.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.data import Dataset, read_dataset, synthetic
from engine.evaluation import EvaluationConfig, evaluate
from engine.robustness import (
    CurveConfig,
    FGSMConfig,
    GaussianConfig,
    PerturbationConfig,
    PGDConfig,
    RobustnessProbe,
    SwapConfig,
    perturb,
    robustness_curves,
)
from engine.robustness.curve_config import variants_of
from engine.training import Trained, fit, preset

STRATEGIES = ("plain", "mg", "amr", "mg+amr")
SLIDER = (GaussianConfig(), SwapConfig(), FGSMConfig(), PGDConfig())
TARGETS = {
    ("sample", "default_curves_s"): 3.0,
    ("sample", "default_curves_cpu_s"): 6.0,
    **{("sample", f"slider_{kind.name}_s"): 0.3 for kind in SLIDER},
    **{("ml100k", f"slider_{kind.name}_s"): 1.0 for kind in SLIDER},
}
"""Seconds that ``--check`` asks for, by size and name; processor seconds of two cores beside wall
seconds, since machines are shared. A slider's first answer draws or attacks; moved, it
mostly rescales."""
FLOOR_CELLS = {"sample": 40, "ml100k": 16, "baby": 2}
"""Cells of the naive evaluation that are timed; the floor is their mean times all cells."""

REPEATS = {"sample": 3, "ml100k": 1, "baby": 1}
"""Times the curves are drawn; the fastest counts, since machines are shared."""


def dataset_of(size: str) -> Dataset:
    """The data of a size; ml100k is looked for as the tests do."""
    if size == "sample":
        return read_dataset("sample")
    if size == "baby":
        return synthetic(19_445, 7_050, 160_792, image_width=4096, text_width=384, seed=0)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return read_dataset(Path(os.environ.get("BASIN_DATA", beside)) / "ml100k-posters")


def runs_of(dataset: Dataset, epochs: int) -> list[Trained]:
    """One short run of each strategy; how well it is trained does not matter to its speed."""
    runs = []
    for name in STRATEGIES:
        overrides: dict[str, Any] = {"epochs": epochs, "device": "cpu"}
        if "amr" in name:
            overrides["objective.adversary.warm_start_epochs"] = epochs // 2
        config = preset(name, overrides)
        done = fit(dataset, config)
        runs.append(Trained(done.model, dataset, done.features, config, label=name))
    return runs


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def naive_cell(run: Trained, config: PerturbationConfig, strength: float, draw: int) -> None:
    """One cell of the curves with nothing reused."""
    features = perturb(run, config, strength, draw=draw)
    with torch.no_grad():
        users, items = run.model(features)
    evaluate(users, items, run.dataset, "test", EvaluationConfig(cutoffs=(10, 20)))


def naive_seconds(runs: list[Trained], size: str) -> tuple[float, float]:
    """Wall and processor seconds of the default curves done naively, from evenly chosen cells."""
    cells = [
        (run, variant.config, strength, draw)
        for variant in variants_of(CurveConfig(), runs[0].dataset)
        for draw in range(variant.n_draws)
        for run in runs
        for strength in variant.strengths
    ]
    chosen = cells[:: max(1, len(cells) // FLOOR_CELLS[size])]

    def work() -> None:
        for cell in chosen:
            naive_cell(*cell)

    wall, cpu = timed(work)
    return wall / len(chosen) * len(cells), cpu / len(chosen) * len(cells)


def rows_of(size: str) -> list[dict[str, Any]]:
    """One row a measurement: name, value, floor, ratio (floor / value), target."""
    dataset = dataset_of(size)
    runs = runs_of(dataset, epochs=1 if size == "baby" else 4)
    measured = []
    if size != "baby":
        robustness_curves(runs[:1], CurveConfig(n_draws=1))  # torch's first calls are slow
    floor = naive_seconds(runs, size)
    curves = [timed(lambda: robustness_curves(runs)) for _ in range(REPEATS[size])]
    for place, name in enumerate(("default_curves_s", "default_curves_cpu_s")):
        measured.append((name, min(times[place] for times in curves), floor[place]))
    for config in SLIDER:
        probe = RobustnessProbe(runs[0])
        probe.at(GaussianConfig(), 0.1)

        def first(probe: RobustnessProbe = probe, config: PerturbationConfig = config) -> None:
            probe.lists(probe.at(config, 0.2, draw=1), user=int(probe.ranking.users[0]))

        def moved(probe: RobustnessProbe = probe, config: PerturbationConfig = config) -> None:
            probe.lists(probe.at(config, 0.3, draw=1), user=int(probe.ranking.users[0]))

        control = config.control(dataset)
        asked = [config] if control is None else [config, control]
        naive = sum(timed(partial(naive_cell, runs[0], kind, 0.2, 1))[0] for kind in asked)
        measured.append((f"slider_{config.name}_s", timed(first)[0], naive))
        measured.append((f"slider_{config.name}_moved_s", timed(moved)[0], naive))
    return [
        {
            "name": f"robustness.{size}.{name}",
            "value": round(value, 4),
            "floor": round(floor, 4),
            "ratio": round(floor / value, 2),
            "target": TARGETS.get((size, name)),
        }
        for name, value, floor in measured
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the measurements; with ``--check`` fail where one misses its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks robustness", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--size", choices=tuple(FLOOR_CELLS), default="sample")
    arguments = parser.parse_args(argv)
    missed = False
    for row in rows_of(arguments.size):
        target = row["target"]
        missed |= target is not None and row["value"] > target
        if arguments.json:
            print(json.dumps(row))
        else:
            wanted = "" if target is None else f"   target {target:g} s"
            print(
                f"{row['name']:<40}{row['value']:>9.3f} s   naive {row['floor']:>9.3f} s "
                f"({row['ratio']:.1f} x){wanted}"
            )
    return 1 if missed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
