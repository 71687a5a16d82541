"""``bin``, ``export`` and ``import``: keeping house in a runs folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.terminal import add_common, store_of


def bin_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``bin``."""
    parser.add_argument("runs", nargs="+", help="runs to move to the bin")
    parser.add_argument("--restore", action="store_true", help="bring them back instead")
    add_common(parser)


def move_to_bin(arguments: argparse.Namespace) -> dict[str, Any]:
    """Move runs to the bin, or back."""
    store = store_of(arguments)
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
