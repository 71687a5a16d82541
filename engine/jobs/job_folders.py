"""The job folders of a runs folder, and which of them are still at work."""

from __future__ import annotations

import os
from pathlib import Path

from engine.foundation.errors import BasinError
from engine.jobs.cluster_address import JOBS_NAME
from engine.jobs.job import Job
from engine.runs import RunStore


def active_jobs(store: RunStore) -> list[Job]:
    """Jobs that are queued or running, newest first. Damaged ones are left out."""
    active = []
    for path in sorted(job_folders(store), reverse=True):
        if path in _over:
            continue
        job = Job(path)
        try:
            is_over = job.status().is_over
        except BasinError:
            continue
        if is_over:
            _over.add(path)
        else:
            active.append(job)
    return active


_over: set[Path] = set()
"""Jobs once seen to be over: they stay so, and need not be read again."""


def job_folders(store: RunStore) -> list[Path]:
    """Folders of all jobs, in no order."""
    folder = store.root / JOBS_NAME
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    return [folder / name for name in names if (folder / name / "request.json").exists()]
