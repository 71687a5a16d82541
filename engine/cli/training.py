"""The ``train`` command."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

from engine.cli.terminal import add_common, add_scheduler, store_of, with_bar
from engine.foundation.errors import RunError
from engine.jobs.scheduler import chosen_scheduler
from engine.jobs.submit import run_and_wait
from engine.jobs.work import create_run
from engine.runs import RunStore


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``."""
    from engine.cli.options import add_config_options
    from engine.training import PRESETS, TrainConfig

    lines = "; ".join(f"{name}: {help_}" for name, (help_, _) in PRESETS.items())
    parser.add_argument("--dataset", default="sample", help="folder, table or 'sample' (default)")
    parser.add_argument(
        "--preset", default="plain", choices=list(PRESETS), help=lines.replace("%", "%%")
    )
    parser.add_argument("--seeds", type=int, default=1, help="train so many seeds, from --seed on")
    parser.add_argument(
        "--one-by-one",
        action="store_true",
        help="train the seeds one after the other, not in one pass; slower, and bit for bit what "
        "each gives alone",
    )
    parser.add_argument("--name", default="", help="a name for the run (default: the preset)")
    parser.add_argument(
        "--match",
        metavar="RUN",
        help="train for exactly as many gradient passes as that run took: the compute-matched "
        "baseline",
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted")
    add_scheduler(parser)
    add_common(parser)
    add_config_options(parser, TrainConfig)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a run, or several seeds in one pass, or go on with one."""
    from engine.cli.options import given_settings
    from engine.foundation.errors import ConfigError
    from engine.training import TrainConfig, preset

    store = store_of(arguments)
    chosen_scheduler(arguments.scheduler)  # refused before a run is made for it
    if arguments.resume:
        runs = [store.get(arguments.resume)]
    else:
        if arguments.seeds < 1:
            raise ConfigError(f"--seeds is {arguments.seeds}; at least 1 is needed.")
        settings = given_settings(arguments, TrainConfig)
        if arguments.match:
            settings["match_gradient_passes"] = passes_of(store, arguments.match)
        config = preset(arguments.preset, settings)
        runs = []
        for seed in range(config.seed, config.seed + arguments.seeds):
            runs.append(
                create_run(
                    store,
                    arguments.dataset,
                    config.changed({"seed": seed}),
                    name=arguments.name or arguments.preset,
                    label=arguments.name or arguments.preset,
                    command=["python", "-m", "engine", *sys.argv[1:]],
                )
            )
    ids = [run.id for run in runs]
    passes = [[run] for run in ids] if arguments.one_by_one else [ids]
    results = []
    for each in passes:
        params = {"run": each[0]} if len(each) == 1 else {"runs": each}
        title = each[0] if len(each) == 1 else f"{len(each)} seeds"
        work = partial(run_and_wait, store, "train", params, scheduler=arguments.scheduler)
        found = with_bar(title, work)
        results += found.get("runs", [found])
    for result in results:
        print(
            f"{result['run']}: {result['state']}, best epoch {result['best_epoch']} chosen by "
            f"{result['selected_by']}; valid recall@20 {result['valid']['recall@20']:.4f}, test "
            f"recall@20 {result['test'].get('recall@20', float('nan')):.4f}, "
            f"{result['seconds']:.1f} s"
        )
    return results[0] if len(results) == 1 else {"runs": results}


def passes_of(store: RunStore, run: str) -> int:
    """The gradient passes a finished run took; raises RunError where it has not finished."""
    passes = store.get(run).summary.get("gradient_passes")
    if not passes:
        raise RunError(f"run {run} has not finished, so its gradient passes are not known yet.")
    return int(passes)
