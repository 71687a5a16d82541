"""What all commands share: where runs are, progress bars, tables as plain data."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress
from engine.runs import RunStore

if TYPE_CHECKING:
    import pandas as pd

Command = Callable[[argparse.Namespace], dict[str, Any]]
"""What a subcommand does: prints, and returns what --json prints."""

Options = Callable[[argparse.ArgumentParser], None]
"""Adds a subcommand's options."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options that every command has."""
    parser.add_argument("--runs-folder", help="where runs are kept (default: BASIN_RUNS or ./runs)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )


def add_scheduler(parser: argparse.ArgumentParser, otherwise: str = "in this process") -> None:
    """The option of commands that compute: where they do."""
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="compute on this Dask scheduler, tls://HOST:PORT, or 'embedded' for the cluster of "
        f"the runs folder (default: BASIN_SCHEDULER, else {otherwise})",
    )


def store_of(arguments: argparse.Namespace) -> RunStore:
    """The runs folder that was named, else the usual one; raises ConfigError if it is a file."""
    store = RunStore(arguments.runs_folder)
    if store.root.exists() and not store.root.is_dir():
        raise ConfigError(f"the runs folder {store.root} is a file; name a folder.")
    return store


def check_outputs(arguments: argparse.Namespace) -> None:
    """Raise ConfigError, before anything is computed, where a table could not be written."""
    for name, path in vars(arguments).items():
        if not name.endswith("csv") or path is None:
            continue
        option = "--" + name.replace("_", "-")
        if not path.absolute().parent.is_dir():
            raise ConfigError(
                f"{option} is {path}, but there is no folder {path.absolute().parent}; make it, or "
                "name another."
            )
        if path.is_dir():
            raise ConfigError(f"{option} is {path}, which is a folder; name a file.")


class Bar:
    """A progress bar on standard error; as a Progress it never cancels."""

    def __init__(self, title: str) -> None:
        self.bar = tqdm(
            total=1.0,
            desc=title,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}",
        )

    def __call__(self, share: float, message: str = "") -> None:
        if message:
            self.bar.set_postfix_str(message, refresh=False)
        self.bar.update(max(share - self.bar.n, 0.0))

    def close(self) -> None:
        self.bar.close()


def with_bar(title: str, work: Callable[[Progress], dict[str, Any]]) -> dict[str, Any]:
    """Work under a progress bar, which is gone afterwards."""
    bar = Bar(title)
    try:
        return work(bar)
    finally:
        bar.close()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as plain values; NaN as null."""
    return json.loads(table.to_json(orient="records"))
