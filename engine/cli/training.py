"""The ``train`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from engine.cli.reading import add_reading, source_of
from engine.cli.terminal import add_common, add_scheduler, store_of, with_bar
from engine.foundation.errors import RunError
from engine.jobs.scheduler_address import chosen_scheduler
from engine.jobs.submit import run_and_wait
from engine.runs import Run, RunStore
from engine.studies.new_run import create_run

SHOWN = ("recall@20", "ndcg@20")
"""The metrics whose intervals over seeds are printed; all are in the JSON."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``."""
    from engine.cli.config_options import add_config_options
    from engine.training import PRESETS, TrainConfig

    lines = "; ".join(f"{name}: {help_}" for name, (help_, _) in PRESETS.items())
    parser.add_argument("--dataset", default="sample", help="folder, table or 'sample' (default)")
    add_reading(parser)
    parser.add_argument(
        "--preset", default="plain", choices=list(PRESETS), help=lines.replace("%", "%%")
    )
    parser.add_argument("--seeds", type=int, default=1, help="train so many seeds, from --seed on")
    parser.add_argument("--name", default="", help="a name for the run (default: the preset)")
    parser.add_argument(
        "--match",
        metavar="RUN",
        help="train for as many gradient passes as that run took, or as the run of that name and "
        "the same seed: the compute-matched baseline",
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted")
    add_scheduler(parser)
    add_common(parser)
    add_config_options(parser, TrainConfig)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a run, or several seeds one after the other, or resume a run."""
    from engine.cli.config_options import given_settings
    from engine.foundation.errors import ConfigError
    from engine.training import TrainConfig, preset

    store = store_of(arguments)
    chosen_scheduler(arguments.scheduler)  # refused before a run is made for it
    if arguments.resume:
        runs = [store.get(arguments.resume)]
    else:
        if arguments.seeds < 1:
            raise ConfigError(f"--seeds is {arguments.seeds}; at least 1 is needed.")
        dataset = source_of(arguments)
        settings = given_settings(arguments, TrainConfig)
        config = preset(arguments.preset, settings)
        seeds = range(config.seed, config.seed + arguments.seeds)
        budgets = passes_of(store, arguments.match, seeds) if arguments.match else {}
        parents = parents_of(store, config.start_from, seeds) if config.start_from else {}
        name = arguments.name or arguments.preset
        if parents and not arguments.name:
            name += f" from {name_of(store, str(config.start_from))}"
        if arguments.match and not arguments.name:
            name += f" matched to {name_of(store, arguments.match)}"
        runs = []
        for seed in seeds:
            changes: dict[str, Any] = {"seed": seed}
            if seed in parents:
                changes["start_from"] = parents[seed]
            if seed in budgets:
                changes["match_gradient_passes"] = budgets[seed]
            runs.append(
                create_run(
                    store,
                    dataset,
                    config.changed(changes),
                    name=name,
                    label=name,
                    command=["python", "-m", "engine", *sys.argv[1:]],
                )
            )
    results = []
    for run in runs:
        work = partial(run_and_wait, store, "train", {"run": run.id}, scheduler=arguments.scheduler)
        results.append(with_bar(run.id, work))
    for result in results:
        valid, test = (result[s].get("recall@20", float("nan")) for s in ("valid", "test"))
        print(
            f"{result['run']}: {result['state']}, best epoch {result['best_epoch']} chosen by "
            f"{result['selected_by']}; valid recall@20 {valid:.4f}, test recall@20 {test:.4f}, "
            f"{result['seconds']:.1f} s"
        )
    if len(results) == 1:
        return results[0]
    return {"runs": results, "intervals": intervals_of(results)}


def intervals_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Test metrics over the seeds: mean, 95 % interval (None for one seed) and n; also printed."""
    from engine.evaluation import mean_interval

    found = {}
    for metric in results[0]["test"]:
        interval = mean_interval(np.array([result["test"][metric] for result in results]))
        found[metric] = asdict(interval)
        if metric in SHOWN:
            print(f"test {metric} over {interval.n} seeds, 95 % t interval: {interval}")
    return found


def runs_named(store: RunStore, match: str) -> list[Run]:
    """The run of that id or folder, or all runs of that name, oldest first."""
    table = store.list()
    named = sorted(map(str, table.loc[table["name"] == match, "id"])) if len(table) else []
    return [store.get(run) for run in named] or [store.get(match)]


def name_of(store: RunStore, match: str) -> str:
    """The name of the run, or runs, that --match or --start-from names."""
    run = runs_named(store, match)[0]
    return run.name or run.id


def parents_of(store: RunStore, start_from: str, seeds: Iterable[int]) -> dict[int, str]:
    """The id of the run that each seed starts from: of its own seed, if there are several.

    Raises RunError where none of that name has a seed.
    """
    runs = runs_named(store, start_from)
    if len(runs) == 1:
        return dict.fromkeys(seeds, runs[0].id)
    ids = {int(run.config["seed"]): run.id for run in runs if run.has_weights}
    _check_seeds(start_from, ids.keys(), seeds)
    return {seed: ids[seed] for seed in seeds}


def passes_of(store: RunStore, match: str, seeds: Iterable[int]) -> dict[int, int]:
    """The gradient passes each seed is allowed: those of the run of its seed, if there are several.

    Raises RunError where the run has not finished, or none of that name has a seed.
    """
    runs = runs_named(store, match)
    taken = {
        int(run.config["seed"]): int(run.summary["gradient_passes"])
        for run in runs
        if run.summary.get("gradient_passes")
    }
    if not taken:
        raise RunError(f"run {match} has not finished, so its gradient passes are not known yet.")
    if len(runs) == 1:
        (passes,) = taken.values()
        return dict.fromkeys(seeds, passes)
    _check_seeds(match, taken.keys(), seeds)
    return {seed: taken[seed] for seed in seeds}


def _check_seeds(name: str, known: Collection[int], seeds: Iterable[int]) -> None:
    """Raise RunError where a seed is not among the known ones of the runs of that name."""
    missing = [str(seed) for seed in seeds if seed not in known]
    if missing:
        raise RunError(
            f"no finished run called '{name}' has seed {', '.join(missing)}; there are seeds "
            f"{', '.join(map(str, sorted(known)))}. Train the others first, or name one run by id."
        )
