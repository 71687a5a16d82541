"""Robustness: the default curves and the slider, each beside a naive full evaluation.

``python -m benchmarks robustness [--json] [--check] [--size sample|ml100k|baby]``

The floor does the same with nothing reused: for every cell it draws (or attacks) anew at the full
feature width, runs the whole model and evaluates all lists.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Row, dataset_of, report
from engine.data import Dataset, read_dataset
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
from engine.robustness.curves.curve_config import variants_of
from engine.robustness.standard import StandardAttackConfig, standard_attacks
from engine.training import Trained, fit, preset

STRATEGIES = ("plain", "mg", "amr", "mg+amr")
SLIDER = (GaussianConfig(), SwapConfig(), FGSMConfig(), PGDConfig())
FLOOR_CELLS = {"sample": 40, "ml100k": 16, "baby": 2}
"""Cells of the naive evaluation that are timed; the floor is their mean times all cells."""

REPEATS = {"sample": 3, "ml100k": 1, "baby": 1}
"""Times the curves are drawn; the fastest counts, since machines are shared."""


def data_of(size: str) -> Dataset:
    """The data of a size; ml100k is looked for as the tests do."""
    if size != "ml100k":
        return dataset_of(size)
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


def rows_of(size: str) -> list[Row]:
    """Every measurement over its naive floor, and over the seconds it may take."""
    dataset = data_of(size)
    runs = runs_of(dataset, epochs=1 if size == "baby" else 4)
    if size != "baby":
        robustness_curves(runs[:1], CurveConfig(n_draws=1))  # torch's first calls are slow
    floor = naive_seconds(runs, size)
    curves = [timed(lambda: robustness_curves(runs)) for _ in range(REPEATS[size])]
    wall, cpu = (min(times[place] for times in curves) for place in (0, 1))
    rows = [
        _row(size, "default curves / naive", wall, floor[0], 0.5),
        _row(size, "default curves, processor time / naive", cpu, floor[1], 0.5),
    ]
    if size == "sample":
        # One thread does it all, so processor time is wall time on a free core; wall time itself is
        # shown but not checked, for it grows with whatever else the machine does.
        rows.append(_row(size, "default curves, processor time / 3 s", cpu, 3.0, 1.0))
        rows.append(_row(size, "default curves / 3 s", wall, 3.0, None))
    if size != "baby":
        wall, cpu, naive = standard_seconds(runs[0])
        rows.append(_row(size, "standard attacks on a run / naive", wall, naive, 1.0))
        if size == "sample":
            name = "standard attacks on a run, processor time / 5 s"
            rows.append(_row(size, name, cpu, 5.0, 1.0))
    limit = {"sample": 0.3, "ml100k": 1.0}.get(size)
    for config in SLIDER:
        first, moved, naive = slider_seconds(runs[0], config)
        rows.append(_row(size, f"slider, {config.name}, moved / naive", moved, naive, 1.0))
        if limit is not None:
            label = f"slider, {config.name}, first answer / {limit:g} s"
            rows.append(_row(size, label, first, limit, 1.0))
    return rows


def _row(size: str, name: str, value: float, floor: float, target: float | None) -> Row:
    return Row(f"{size}: {name}", value, floor, value / floor, target)


def standard_seconds(run: Trained) -> tuple[float, float, float]:
    """Wall and processor seconds of the standard set at three strengths, and wall seconds of its
    attacks one by one at the full feature width."""
    config = StandardAttackConfig()
    standard_attacks([run], config.changed({"steps": 1}))  # torch's first calls are slow
    wall, cpu = timed(lambda: standard_attacks([run], config))

    def naively() -> None:
        for attack in config.attacks(run.dataset).values():
            for strength in config.strengths:
                naive_cell(run, attack, strength, 0)

    return wall, cpu, timed(naively)[0]


def slider_seconds(run: Trained, config: PerturbationConfig) -> tuple[float, float, float]:
    """The first answer with one user's list, the next at other strengths, and those naively."""
    probe = RobustnessProbe(run)
    probe.at(GaussianConfig(), 0.1)
    user = int(probe.ranking.users[0])

    def answer(strength: float) -> None:
        probe.lists(probe.at(config, strength, draw=1), user)

    control = config.control(run.dataset)
    asked = [config] if control is None else [config, control]

    def naively(strength: float) -> None:
        for kind in asked:
            naive_cell(run, kind, strength, 1)

    first = timed(partial(answer, 0.2))[0]
    moved, naive = [], []
    for strength in (0.3, 0.4, 0.5, 0.6):  # in turns, since machines are shared
        moved.append(timed(partial(answer, strength))[0])
        naive.append(timed(partial(naively, strength))[0])
    return first, min(moved), min(naive)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the measurements; with ``--check`` fail where one misses its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks robustness", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--size", choices=tuple(FLOOR_CELLS), default="sample")
    given, _ = parser.parse_known_args(argv)
    torch.set_num_threads(1)  # floor and value alike; two threads on shared cores measure waiting
    return report(rows_of(given.size), given)


if __name__ == "__main__":
    sys.exit(main())
