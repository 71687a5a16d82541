"""From the queue folder to the embedded cluster's workers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import Client

from engine.foundation.errors import BasinError, JobError
from engine.jobs.cluster_address import JOBS_NAME, QUEUE_NAME
from engine.jobs.delivery import submit_options
from engine.jobs.job import Job
from engine.jobs.perform import end_unstarted, perform
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import read_record_or, write_record

QUEUE_SECONDS = 0.1
"""Between two looks at the queue folder."""

UNRESPONSIVE_SECONDS = 5.0
"""A task that does not stop so long after it was asked to loses its worker."""


async def run_queued_jobs(
    store: RunStore, client: Client, has_gpu: bool, idle_seconds: float, stop: asyncio.Event
) -> None:
    """Hand queued jobs to the scheduler until there were none for ``idle_seconds``."""
    at_work: dict[Path, Any] = {}
    asked: dict[Path, float] = {}
    idle_since = time.monotonic()
    while not stop.is_set() and store.root.exists():
        for marker in queued_jobs(store):
            job = _take_job(store, marker)
            if job is not None:
                gpu = has_gpu and bool(job.request["gpu"])
                options = submit_options(job, gpu)
                at_work[job.path] = client.submit(perform, str(job.path), **options)
        for path, future in list(at_work.items()):
            if future.done():
                del at_work[path]
                if future.status != "finished":
                    end_unstarted(Job(path), "interrupted", "The cluster lost it.")
        _stop_unresponsive(at_work, asked)
        if at_work:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > idle_seconds:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), QUEUE_SECONDS)


def queued_jobs(store: RunStore) -> list[Path]:
    """The markers of the jobs in the queue folder, oldest first."""
    try:
        return sorted((store.root / JOBS_NAME / QUEUE_NAME).iterdir())
    except FileNotFoundError:
        return []


def _take_job(store: RunStore, marker: Path) -> Job | None:
    """Take one job out of the queue; None where it is gone or damaged."""
    try:
        job = Job(store.root / JOBS_NAME / marker.name)
        record = {"cluster": Owner.here().as_record()}
        write_record(job.path / "delivery.json", record, JobError)
        marker.unlink()
        return job
    except FileNotFoundError:
        return None
    except BasinError:
        marker.unlink(missing_ok=True)
        return None


def _stop_unresponsive(at_work: dict[Path, Any], asked: dict[Path, float]) -> None:
    """End the worker of a job that was asked to stop and does not look."""
    for path in set(asked) - set(at_work):
        del asked[path]
    for path in at_work:
        if not (path / "cancel").exists():
            continue
        since = asked.setdefault(path, time.monotonic())
        if time.monotonic() - since > UNRESPONSIVE_SECONDS:
            asked[path] = float("inf")
            owner = Owner.from_record(_progress_record(path).get("owner"))
            if owner is not None and owner.is_on_this_machine and owner.exists:
                os.kill(owner.pid, signal.SIGKILL)


def _progress_record(path: Path) -> dict[str, Any]:
    with suppress(JobError):
        return read_record_or(path / "progress.json", {}, JobError)
    return {}
