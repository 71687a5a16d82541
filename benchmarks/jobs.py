"""Jobs and runs: a sweep on two workers, the time between two jobs, cancel, and 2,000 runs listed.

The sweep is real: trainings of about a second, queued and compared as ``python -m engine sweep``
does, one thread each. Sweeps on one worker and on two alternate, so that other load on the machine
meets both; the ratio needs two free cores. Where a row's floor is a round number, it is what was
asked for.

``python -m benchmarks jobs [--json] [--check] [--rounds N]``
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import Row, options, report
from engine.jobs import Job, ensure_cluster, jobs, submit
from engine.jobs.cluster_address import cluster_owner
from engine.runs import RunStore
from engine.runs.index import INDEX_NAME
from engine.studies.new_run import create_run
from engine.studies.sweeps import Sweep
from engine.training import preset
from engine.training.sweep_plan import SweepConfig

DATA = "synthetic:users=1500,items=800,interactions=30000,image=32,text=16,seed=1"
RUNS = 8
EPOCHS = 8
"""About a second of training on one core."""
SETTINGS = {"epochs": EPOCHS, "patience": EPOCHS, "device": "cpu", "batch_size": 1024}
SPEEDUP = 1.8
"""Of two workers over one, at least."""
LISTED = 2000


@contextmanager
def cluster(workers: int) -> Iterator[RunStore]:
    """A store with a warm embedded cluster of so many workers, one thread each."""
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        os.environ["BASIN_WORKERS"] = str(workers)
        store = RunStore(folder)
        try:
            ready = ensure_cluster(store)
            from distributed import Client

            with Client(ready.address, security=ready.security(), set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
            seconds_of_a_sweep(store, "warm-up")
            yield store
        finally:
            owner = cluster_owner(store.root)
            if owner is not None and owner.exists:
                os.kill(owner.pid, signal.SIGTERM)
                while owner.exists:
                    time.sleep(0.05)


def seconds_of_a_sweep(store: RunStore, name: str) -> float:
    """From asking for a sweep of ``RUNS`` trainings until the last has ended."""
    started = time.perf_counter()
    config = SweepConfig(presets=("plain",), settings=SETTINGS, n_seeds=RUNS)
    sweep = Sweep.start(store, name, DATA, config)
    sweep.run_missing()
    sweep.wait(poll=0.05)
    seconds = time.perf_counter() - started
    states = set(sweep.table()["state"])
    assert states == {"finished"}, sweep.table()["reason"].tolist()
    return seconds


def idle_between_jobs(store: RunStore) -> list[float]:
    """Seconds from the end of a job to the start of the next in each sweep on one worker."""
    by_worker: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    for job in jobs(store):
        record = json.loads((job.path / "progress.json").read_text(encoding="utf-8"))
        times = [datetime.fromisoformat(record[key]) for key in ("started", "ended")]
        by_worker[record["owner"]["pid"]].append((times[0], times[1]))
    found = []
    for spans in by_worker.values():
        gaps = [(b[0] - a[1]).total_seconds() for a, b in pairwise(sorted(spans))]
        found += [gap for number, gap in enumerate(gaps, 1) if number % RUNS]
    return found


def waits_of_one_job(store: RunStore) -> dict[str, float]:
    """Seconds to hand over a job, until it starts, and until it ends once asked to stop."""
    config = preset("plain", {**SETTINGS, "epochs": 100_000, "patience": 100_000})
    run = create_run(store, DATA, config)
    started = time.perf_counter()
    job = submit(store, "train", {"run": run.id}, [run.id])
    submitted = time.perf_counter() - started
    while job.status().state == "queued":
        time.sleep(0.001)
    to_start = time.perf_counter() - started
    while not job.status().message.startswith("epoch"):
        time.sleep(0.01)
    started = time.perf_counter()
    job.cancel()
    until_over(job)
    return {"submit": submitted, "start": to_start, "cancel": time.perf_counter() - started}


def until_over(job: Job) -> None:
    """Wait for a job without keeping a core from it."""
    while not job.status().is_over:
        time.sleep(0.005)


def seconds_to_list(rounds: int) -> tuple[float, float]:
    """Listing runs with the records of real ones: with an index, and rebuilding it."""
    with tempfile.TemporaryDirectory(prefix="basin-bench-") as folder:
        store = RunStore(folder)
        first = create_run(store, DATA, preset("mg+amr"), "mg+amr")
        metrics = {f"{kind}@{k}": 0.1 for kind in ("recall", "ndcg", "map") for k in (5, 10, 20)}
        first.save_summary({"best_epoch": 3, "valid": metrics, "test": metrics})
        for number in range(LISTED - 1):
            shutil.copytree(first.path, Path(folder) / f"20200101-000000-copy-{number:04x}")
        indexed, rebuilt = [], []
        for _ in range(rounds):
            (store.root / INDEX_NAME).unlink(missing_ok=True)
            for times in (rebuilt, indexed):
                started = time.perf_counter()
                assert len(store.list()) == LISTED
                times.append(time.perf_counter() - started)
        return statistics.median(indexed), statistics.median(rebuilt)


def asked(name: str, value: float, limit: float) -> Row:
    """A row whose floor is the time asked for."""
    return Row(name, value, limit, value / limit, 1.0)


def main(argv: list[str]) -> int:
    """Print the rows of this benchmark; 1 where a target is missed with --check."""
    given = options(__doc__ or "", argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("BASIN_SCHEDULER", None)
    listed, rebuilt = seconds_to_list(given.rounds)
    with cluster(1) as one, cluster(2) as two:
        seconds: dict[RunStore, list[float]] = {one: [], two: []}
        waits = []
        for number in range(given.rounds):
            for store, times in seconds.items():
                times.append(seconds_of_a_sweep(store, f"round-{number}"))
        idle = statistics.median(idle_between_jobs(one))
        for _ in range(given.rounds):
            waits.append(waits_of_one_job(two))
    pairs = zip(seconds[two], seconds[one], strict=True)
    ratio = statistics.median(b / (a / 2) for b, a in pairs)
    alone = statistics.median(seconds[one])
    title = "sweep on 2 workers / half of 1"  # 1.111 is a speedup of 1.8
    rows = [
        Row(title, statistics.median(seconds[two]), alone / 2, ratio, round(2 / SPEEDUP, 3)),
        Row("idle between two jobs / a job", idle, alone / RUNS, idle * RUNS / alone, 0.05),
        asked(f"list {LISTED:,} runs", listed, 1.0),
        asked(f"list {LISTED:,} runs, index rebuilt", rebuilt, 1.0),
    ]
    for name, what, limit in (
        ("submit", "hand a job over", 0.1),
        ("start", "until a job starts", 0.5),
        ("cancel", "until a training asked to stop has stopped", 1.0),
    ):
        rows.append(asked(what, statistics.median(wait[name] for wait in waits), limit))
    return report(rows, given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
