"""Jobs and runs: two workers against one, the wait for a job, and listing 2,000 runs.

``python -m benchmarks jobs [--json] [--check]``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.foundation.progress import Progress
from engine.jobs import ensure_cluster, submit
from engine.jobs.address import cluster_owner
from engine.jobs.work import create_run
from engine.runs import RunStore
from engine.runs.index import INDEX_NAME
from engine.training import preset

LIMITS = {
    "speedup_of_two_workers": (">=", 1.8),
    "list_2000_runs_s": ("<=", 1.0),
    "list_2000_runs_without_index_s": ("<=", 1.0),
    "submit_ms": ("<=", 100.0),
    "submit_to_start_ms": ("<=", 500.0),
}
"""What ``--check`` asks for. The speedup needs two free cores, one thread each."""

JOBS = 8
STEPS = 40
"""Steps of a job; one takes some milliseconds on one core."""


def spin(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The task that is timed: a fixed amount of arithmetic on one thread."""
    del store
    x = np.random.default_rng(0).normal(size=50_000)
    for step in range(params["steps"]):
        progress(step / params["steps"], "spinning")
        for _ in range(20):
            x = np.tanh(x) * 1.1
    return {"mean": float(x.mean())}


@contextmanager
def cluster(workers: int) -> Iterator[RunStore]:
    """A store with a warm embedded cluster of so many workers."""
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        os.environ["BASIN_WORKERS"] = str(workers)
        store = RunStore(folder)
        try:
            ready = ensure_cluster(store)
            from distributed import Client

            with Client(ready.address, security=ready.security(), set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
            time.sleep(5.0)  # torch is being loaded in the background
            yield store
        finally:
            owner = cluster_owner(store.root)
            if owner is not None and owner.exists:
                os.kill(owner.pid, signal.SIGTERM)
                while owner.exists:
                    time.sleep(0.05)


def seconds_of_a_sweep(workers: int) -> tuple[float, list[float], list[float]]:
    """Wall time of all jobs on so many workers; times to submit and to start of single jobs."""
    with cluster(workers) as store:
        to_submit, to_start = [], []
        for _ in range(10):
            start = time.perf_counter()
            job = submit(store, "spin", {"steps": 1})
            to_submit.append(time.perf_counter() - start)
            while job.status().state == "queued":
                time.sleep(0.001)
            to_start.append(time.perf_counter() - start)
            job.wait(60)
        start = time.perf_counter()
        sweep = [submit(store, "spin", {"steps": STEPS}) for _ in range(JOBS)]
        for job in sweep:
            job.wait(600, poll=0.02)
        return time.perf_counter() - start, to_submit, to_start


def seconds_to_list(runs: int) -> tuple[float, float]:
    """Listing so many runs with the records of real ones: with an index, and rebuilding it."""
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        store = RunStore(folder)
        first = create_run(store, "synthetic:users=60,items=40,interactions=900,image=12,text=8",
                           preset("mg+amr"), "mg+amr")  # fmt: skip
        metrics = {f"{kind}@{k}": 0.1 for kind in ("recall", "ndcg", "map") for k in (5, 10, 20)}
        first.save_summary({"best_epoch": 3, "valid": metrics, "test": metrics})
        for number in range(runs - 1):
            shutil.copytree(first.path, Path(folder) / f"20200101-000000-copy-{number:04x}")
        indexed, rebuilt = [], []
        for _ in range(3):
            (store.root / INDEX_NAME).unlink(missing_ok=True)
            for times in (rebuilt, indexed):
                start = time.perf_counter()
                assert len(store.list()) == runs
                times.append(time.perf_counter() - start)
        return statistics.median(indexed), statistics.median(rebuilt)


def measure() -> dict[str, float]:
    """Every number of this benchmark, by the name that says its unit."""
    os.environ["BASIN_EXTRA_TASKS"] = "spin=benchmarks.jobs:spin"
    os.environ.pop("BASIN_SCHEDULER", None)
    listed, rebuilt = seconds_to_list(2000)
    one, _, _ = seconds_of_a_sweep(1)
    two, to_submit, to_start = seconds_of_a_sweep(2)
    return {
        "list_2000_runs_s": listed,
        "list_2000_runs_without_index_s": rebuilt,
        "one_worker_s": one,
        "two_workers_s": two,
        "speedup_of_two_workers": one / two,
        "submit_ms": 1000 * statistics.median(to_submit),
        "submit_to_start_ms": 1000 * statistics.median(to_start),
    }


def missed(numbers: dict[str, float]) -> list[str]:
    """The limits that were not met, one line each."""
    lines = []
    for name, (relation, limit) in LIMITS.items():
        met = numbers[name] >= limit if relation == ">=" else numbers[name] <= limit
        if not met:
            lines.append(f"{name} is {numbers[name]:.3g}; {relation} {limit:g} is asked for")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 if ``--check`` was given and a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks jobs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="last line is one JSON object")
    parser.add_argument("--check", action="store_true", help="fail where a limit is missed")
    given = parser.parse_args(argv)
    numbers = measure()
    for name, value in numbers.items():
        relation, limit = LIMITS.get(name, ("", None))
        asked = "" if limit is None else f"   ({relation} {limit:g})"
        print(f"{name:34} {value:10.3f}{asked}")
    problems = missed(numbers) if given.check else []
    for problem in problems:
        print(problem, file=sys.stderr)
    if given.json:
        print(json.dumps({name: round(value, 4) for name, value in numbers.items()}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
