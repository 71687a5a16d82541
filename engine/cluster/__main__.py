"""``python -m engine.cluster cluster|worker``: be a cluster or workers until ended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from engine.foundation.errors import BasinError
from engine.jobs.cluster_address import IDLE_SECONDS
from engine.runs import RunStore


def add_options(command: str, parser: argparse.ArgumentParser) -> None:
    """The options of ``cluster`` or ``worker``."""
    if command == "cluster":
        parser.add_argument("--runs", help="runs folder (default: BASIN_RUNS or ./runs)")
        parser.add_argument("--workers", type=int, help="worker processes (default: one a core)")
        parser.add_argument(
            "--idle", type=float, default=IDLE_SECONDS, help="end after so many seconds idle"
        )
        return
    parser.add_argument("--scheduler", help="tls://HOST:PORT (default: BASIN_SCHEDULER)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--gpu", action="store_true", help="each takes one GPU task at a time")


def serve(command: str, arguments: argparse.Namespace) -> None:
    """Be a cluster or workers until ended."""
    if command == "cluster":
        from engine.cluster.embedded_cluster import serve as serve_cluster

        serve_cluster(RunStore(arguments.runs), arguments.workers, arguments.idle)
    else:
        from engine.cluster.outside_worker import serve_worker

        serve_worker(arguments.scheduler, arguments.workers, arguments.gpu)


def main(argv: Sequence[str] | None = None) -> int:
    """Be a cluster or workers; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engine.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in (
        ("cluster", "the embedded cluster of a runs folder"),
        ("worker", "workers for a scheduler on another machine"),
    ):
        add_options(name, commands.add_parser(name, help=help_))
    arguments = parser.parse_args(argv)
    try:
        serve(arguments.command, arguments)
    except BasinError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
