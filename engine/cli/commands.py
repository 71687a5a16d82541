"""``python -m engine``: the table of subcommands, and how one of them is run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from engine.cli import (
    analyses,
    evaluation,
    flatness,
    inspect_runs,
    jobs_command,
    manage_runs,
    sweep,
    tradeoff,
    training,
)
from engine.cli.terminal import Command, Options, add_common, check_outputs
from engine.foundation.errors import BasinError, Cancelled
from engine.studies.analysis_table import ANALYSES

DESCRIPTION = """Train multimodal recommenders with and without robust training, and look at the
minima they found. `python -m engine COMMAND --help` tells what each command needs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 a clear error, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        parser, commands = _parser(words)
        arguments = parser.parse_args(words)
        check_outputs(arguments)
        result = commands[arguments.command](arguments)
    except Cancelled as stop:
        print(stop, file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("Interrupted; what was not finished is not kept.", file=sys.stderr)
        return 130
    except BasinError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(
            f"error: the memory is not enough ({_first_line(error)}); take a smaller dataset or "
            "model, or a machine with more.",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        return 0
    status = int(result.pop("exit_status", 0))
    if getattr(arguments, "json", False):
        print(json.dumps(result, default=str))
    return status


def is_out_of_memory(error: BaseException) -> bool:
    """Whether numpy, Python or torch could not have the memory that it asked for."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _parser(words: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, Command]]:
    """The whole parser; only the chosen command's settings are built, so that --help is quick."""
    parser = argparse.ArgumentParser(
        prog="python -m engine", description=DESCRIPTION, allow_abbrev=False
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), "")
    commands: dict[str, Command] = {}
    for name, (summary, add_options, command) in COMMANDS.items():
        sub = subparsers.add_parser(
            name,
            help=summary,
            description=summary,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter
            if name in ("cluster", "worker")
            else argparse.HelpFormatter,
        )
        if name == chosen:
            add_options(sub)
        commands[name] = command
    return parser, commands


def _cluster_command(name: str) -> tuple[Options, Command]:
    """A command whose options belong to engine.cluster."""

    def options(parser: argparse.ArgumentParser) -> None:
        from engine.cluster.__main__ import add_options

        add_options(name, parser)

    def command(arguments: argparse.Namespace) -> dict[str, Any]:
        from engine.cluster.__main__ import serve

        serve(name, arguments)
        return {}

    return options, command


COMMANDS: dict[str, tuple[str, Options, Command]] = {
    "data": (
        "describe a dataset, or list those found",
        inspect_runs.data_options,
        inspect_runs.data,
    ),
    "train": ("train a run, or several seeds of it", training.add_options, training.run),
    "list": ("list the runs", add_common, inspect_runs.list_runs),
    "compare": (
        "strategies over seeds: means, intervals, paired differences to a baseline",
        inspect_runs.compare_options,
        inspect_runs.compare_runs,
    ),
    "sweep": (
        "train many configs, by grid or at random, each over several seeds",
        sweep.add_options,
        sweep.run,
    ),
    "evaluate": (
        "evaluate runs again: other cutoffs, the validation split, sampled negatives",
        evaluation.add_options,
        evaluation.run,
    ),
    "show": ("everything kept about one run", inspect_runs.show_options, inspect_runs.show),
    **{
        kind: (analysis.help, analyses.options_of(kind), analyses.command_of(kind))
        for kind, analysis in ANALYSES.items()
    },
    "robustness": (ANALYSES["robustness"].help, tradeoff.add_options, tradeoff.run),
    "flatness": (
        "does flatness predict robustness, over the runs that keep both analyses",
        flatness.add_options,
        flatness.run,
    ),
    "jobs": (
        "what is under way: progress, logs, waiting, cancel",
        jobs_command.add_options,
        jobs_command.run,
    ),
    "label": (
        "name a run, note something, tag or star it",
        manage_runs.label_options,
        manage_runs.label,
    ),
    "bin": (
        "move runs to the bin or back, list it, empty it",
        manage_runs.bin_options,
        manage_runs.move_to_bin,
    ),
    "export": ("write runs as one zip", manage_runs.export_options, manage_runs.export_runs),
    "import": ("add the runs of a zip", manage_runs.import_options, manage_runs.import_runs),
    "cluster": ("be the embedded cluster of a runs folder", *_cluster_command("cluster")),
    "worker": ("be workers for a scheduler elsewhere", *_cluster_command("worker")),
}
"""Each command's one-line help, its options and what it does."""
