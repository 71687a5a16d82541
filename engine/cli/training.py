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
from engine.foundation.errors import Cancelled, ConfigError, RunError
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
    parser.add_argument("--resume", metavar="RUN", help="resume a run that stopped")
    add_scheduler(parser)
    add_common(parser)
    add_config_options(parser, TrainConfig)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a run, or several seeds one after the other, or resume a run."""
    store = store_of(arguments)
    chosen_scheduler(arguments.scheduler)  # refused before a run is made for it
    runs = [_run_to_resume(store, arguments)] if arguments.resume else _new_runs(store, arguments)
    results = [_train(store, run, arguments.scheduler) for run in runs]
    for result in results:
        valid, test = (result[s].get("recall@20", float("nan")) for s in ("valid", "test"))
        print(
            f"{result['run']}: {result['state']}, best epoch {result['best_epoch']} chosen by "
            f"{result['selected_by']}; valid recall@20 {valid:.4f}, test recall@20 {test:.4f}, "
            f"{result['seconds']:.1f} s"
        )
    diverged = [result for result in results if result["state"] == "diverged"]
    for result in diverged:
        print(
            f"error: run {result['run']} diverged: {result['reason']} It keeps the best epoch "
            "before; lower --optimiser.learning-rate to train on.",
            file=sys.stderr,
        )
    ended: dict[str, Any] = {"runs": results, "intervals": intervals_of(results)}
    return (results[0] if len(results) == 1 else ended) | ({"exit_status": 1} if diverged else {})


def _run_to_resume(store: RunStore, arguments: argparse.Namespace) -> Run:
    """The run of ``--resume``; raises ConfigError for what cannot stand beside it, RunError for a
    run that has ended by itself."""
    from engine.cli.config_options import chosen_settings
    from engine.training import TrainConfig

    beside = [f"--{path}" for path in chosen_settings(arguments, TrainConfig)]
    plain = argparse.ArgumentParser()
    add_options(plain)
    for name in ("dataset", "split", "min_rating", "split_seed", "valid", "preset", "seeds",
                 "name", "match"):  # fmt: skip
        if getattr(arguments, name) != plain.get_default(name):
            beside.append(f"--{name.replace('_', '-')}")
    if beside:
        raise ConfigError(
            f"--resume goes on with a run as it was started; {beside[0]} cannot be changed. Leave "
            "it out, or train a new run without --resume."
        )
    run = store.get(arguments.resume)
    if run.state in ("finished", "diverged"):
        raise RunError(
            f"run {run.id} has {run.state}, so there is nothing to resume; its results belong to "
            "its weights. Train a new run."
        )
    return run


def _new_runs(store: RunStore, arguments: argparse.Namespace) -> list[Run]:
    """One queued run a seed; where one is refused, none is made."""
    from engine.cli.config_options import chosen_settings, refuse_settings_without_use
    from engine.training import TrainConfig, preset

    if arguments.seeds < 1:
        raise ConfigError(f"--seeds is {arguments.seeds}; at least 1 is needed.")
    settings = chosen_settings(arguments, TrainConfig)
    config = preset(arguments.preset, settings)
    refuse_settings_without_use(config, settings)
    seeds = range(config.seed, config.seed + arguments.seeds)
    budgets = passes_of(store, arguments.match, seeds) if arguments.match else {}
    parents = parents_of(store, config.start_from, seeds) if config.start_from else {}
    name = arguments.name or arguments.preset
    if parents and not arguments.name:
        name += f" from {name_of(store, str(config.start_from))}"
    if arguments.match and not arguments.name:
        name += f" matched to {name_of(store, arguments.match)}"
    configs = []
    for seed in seeds:
        changes: dict[str, Any] = {"seed": seed}
        if seed in parents:
            changes["start_from"] = parents[seed]
        if seed in budgets:
            changes["match_gradient_passes"] = budgets[seed]
        configs.append(config.changed(changes))
    dataset, command = source_of(arguments), ["python", "-m", "engine", *sys.argv[1:]]
    return [create_run(store, dataset, each, name, name, command) for each in configs]


def _train(store: RunStore, run: Run, scheduler: str | None) -> dict[str, Any]:
    """Train one run under a bar; raises Cancelled with how to resume it where interrupted."""
    work = partial(run_and_wait, store, "train", {"run": run.id}, scheduler=scheduler)
    try:
        return with_bar(run.id, work)
    except KeyboardInterrupt:
        raise Cancelled(
            f"Interrupted; `python -m engine train --resume {run.id}` goes on with it."
        ) from None


def intervals_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Test metrics over the seeds: mean, 95 % interval (None for one seed) and n; also printed."""
    from engine.evaluation import mean_interval

    intervals = {}
    for metric in results[0]["test"]:
        interval = mean_interval(np.array([result["test"][metric] for result in results]))
        intervals[metric] = asdict(interval)
        if metric in SHOWN:
            print(f"test {metric} over {interval.n} seeds, 95 % t interval: {interval}")
    return intervals


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
