"""The job folders of a runs folder, and which of them are still at work."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.foundation.errors import BasinError
from engine.jobs.address import JOBS_NAME
from engine.jobs.job import Job
from engine.runs import RunStore


def active_jobs(store: RunStore) -> list[Job]:
    """Jobs that are queued or running, newest first."""
    active = []
    for path in sorted(job_folders(store), reverse=True):
        if path in _over:
            continue
        job = Job(path)
        try:
            over = job.status().is_over
        except BasinError:
            continue
        if over:
            _over.add(path)
            _end_queued_runs(store, job)
        else:
            active.append(job)
    return active


def _end_queued_runs(store: RunStore, job: Job) -> None:
    """Runs that wait for a job which was cancelled or lost with its cluster wait no longer."""
    status = job.status()
    if status.state in ("interrupted", "cancelled"):
        for run_id in status.run_ids:
            with suppress(BasinError):
                run = store.get(run_id)
                if run.state == "queued":
                    run.end(status.state, status.reason)


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
