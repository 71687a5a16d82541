"""``label``, ``bin``, ``export`` and ``import``: keeping house in a runs folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.terminal import add_common, records, store_of
from engine.foundation.errors import ConfigError


def label_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``label``."""
    parser.add_argument("run", help="the run to say something about")
    parser.add_argument("--name", help="what it is called; '' for its id")
    parser.add_argument("--note", help="a remark")
    parser.add_argument("--tags", metavar="A,B,...", help="its tags, in place of those it has")
    parser.add_argument("--star", action=argparse.BooleanOptionalAction, help="mark it, or not")
    add_common(parser)


def label(arguments: argparse.Namespace) -> dict[str, Any]:
    """Change a run's name, note, tags or star; the rest stays."""
    run = store_of(arguments).get(arguments.run)
    tags = None if arguments.tags is None else arguments.tags.split(",")
    run.label(name=arguments.name, note=arguments.note, tags=tags, star=arguments.star)
    if not arguments.json:
        print(", ".join(f"{key}: {value}" for key, value in run.labels.items()))
    return {"run": run.id, **run.labels}


def bin_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``bin``."""
    parser.add_argument("runs", nargs="*", help="runs to move to the bin; none: list the bin")
    parser.add_argument("--restore", action="store_true", help="bring them back instead")
    parser.add_argument("--empty", action="store_true", help="delete what is in the bin for good")
    add_common(parser)


def move_to_bin(arguments: argparse.Namespace) -> dict[str, Any]:
    """Move runs to the bin, or back; list it or empty it."""
    store = store_of(arguments)
    if arguments.empty and (arguments.runs or arguments.restore):
        raise ConfigError("--empty deletes the whole bin; name no runs with it.")
    if arguments.empty:
        count = len(store.binned())
        store.empty_bin()
        print(f"{count} runs deleted for good")
        return {"deleted": count}
    if not arguments.runs:
        shown = store.binned()[["id", "name", "state"]]
        print(shown.to_string(index=False) if len(shown) else "the bin is empty")
        return {"binned": records(shown)}
    for run in arguments.runs:
        if arguments.restore:
            store.restore(run)
        else:
            store.delete(run)
        print(f"{run}: {'restored' if arguments.restore else 'moved to the bin'}")
    return {"runs": arguments.runs}


def export_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``export``."""
    parser.add_argument("zip", type=Path, help="the zip file to write")
    parser.add_argument("runs", nargs="+", help="runs to put in")
    add_common(parser)


def export_runs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write runs as one zip."""
    path = store_of(arguments).export_zip(arguments.runs, arguments.zip)
    print(path)
    return {"zip": str(path)}


def import_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``import``."""
    parser.add_argument("zip", type=Path, help="a zip that export wrote")
    add_common(parser)


def import_runs(arguments: argparse.Namespace) -> dict[str, Any]:
    """Add the runs of a zip."""
    runs = [run.id for run in store_of(arguments).import_zip(arguments.zip)]
    print("\n".join(runs))
    return {"runs": runs}
