"""The job folders of a runs folder, and which of them are still at work."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.foundation.errors import BasinError, JobError
from engine.jobs.cluster_address import JOBS_NAME
from engine.jobs.job import Job
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import read_record_or
from engine.runs.status import RunState


def active_jobs(store: RunStore) -> list[Job]:
    """Jobs that are queued or running, newest first."""
    active = []
    for path in sorted(job_folders(store), reverse=True):
        if path in _over:
            continue
        job = Job(path)
        try:
            status = job.status()
        except BasinError:
            continue
        if status.is_over:
            _over.add(path)
            with suppress(BasinError):
                settle_runs(store, job, status.state, status.reason)
        else:
            active.append(job)
    return active


def settle_runs(store: RunStore, job: Job, state: RunState, reason: str) -> None:
    """Give runs that a job left behind its end: those that never started, and those it worked on
    when its process was ended because it did not stop in time."""
    if state not in ("failed", "interrupted", "cancelled"):
        return
    record = read_record_or(job.path / "progress.json", {}, JobError)
    lost = Owner.from_record(record.get("owner")) if record.get("state") == "running" else None
    for run_id in record.get("run_ids", job.request.get("run_ids", ())):
        with suppress(BasinError):
            run = store.get(run_id)
            status = run.status
            if status.state == "queued" and status.waits_for in ("", job.id):
                run.end(state, reason)
            elif state == "cancelled" and lost is not None:
                run.end_after(lost, state, reason)


_over: set[Path] = set()
"""Jobs once seen to be over: they stay so, and need not be read again."""


def job_folders(store: RunStore) -> list[Path]:
    try:
        with os.scandir(store.root / JOBS_NAME) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    folder = store.root / JOBS_NAME
    return [folder / name for name in names if (folder / name / "request.json").exists()]
