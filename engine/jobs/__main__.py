"""``python -m engine.jobs cluster`` and ``python -m engine.jobs worker``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from engine.foundation.errors import BasinError
from engine.jobs.address import IDLE_SECONDS
from engine.runs import RunStore


def main(argv: Sequence[str] | None = None) -> int:
    """Be a cluster or workers; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engine.jobs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    cluster = commands.add_parser("cluster", help="the embedded cluster of a runs folder")
    cluster.add_argument("--runs", help="runs folder (default: BASIN_RUNS or ./runs)")
    cluster.add_argument("--workers", type=int, help="worker processes (default: one a core)")
    cluster.add_argument(
        "--idle", type=float, default=IDLE_SECONDS, help="end after so many seconds without a job"
    )
    worker = commands.add_parser("worker", help="workers for a scheduler on another machine")
    worker.add_argument("--scheduler", help="tls://HOST:PORT (default: BASIN_SCHEDULER)")
    worker.add_argument("--workers", type=int, default=1, help="worker processes")
    worker.add_argument("--gpu", action="store_true", help="each takes one GPU task at a time")
    given = parser.parse_args(argv)
    try:
        if given.command == "cluster":
            from engine.jobs.cluster import serve

            serve(RunStore(given.runs), given.workers, given.idle)
        else:
            from engine.jobs.worker import serve_worker

            serve_worker(given.scheduler, given.workers, given.gpu)
    except BasinError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
