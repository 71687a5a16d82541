"""The runs of a folder, after those that no job will train any more were ended."""

from __future__ import annotations

import time
from contextlib import suppress

import pandas as pd

from engine.foundation.errors import BasinError
from engine.jobs.job_folders import active_jobs
from engine.runs import Run, RunStore

ORPHAN_SECONDS = 300.0
"""A run queued without a job for so long was left by a process that died meanwhile; used where that
process cannot be looked at."""

WAITING_SECONDS = 12 * 3600.0
"""The same where its maker is alive: it may train its runs one after the other."""


def list_runs(store: RunStore) -> pd.DataFrame:
    """``store.list()``, in which no run reads ``queued`` that nothing will train."""
    table = store.list()
    if len(table) and (table["state"] == "queued").any():
        active_jobs(store)  # ends the runs of jobs that were lost with their cluster
        end_orphaned_runs(store)
        table = store.list()
    return table


def end_orphaned_runs(store: RunStore) -> int:
    """End queued runs that no queued or running job will train; returns how many.

    A process that dies between making a run and submitting its job leaves one.
    """
    table = store.list()
    queued = [str(run) for run in table.loc[table["state"] == "queued", "id"]] if len(table) else []
    orphans = [run_id for run_id in queued if _is_left_alone(store, run_id)]
    if not orphans:
        return 0
    awaited = {run for job in active_jobs(store) for run in job.status().run_ids}
    ended = 0
    for run_id in orphans:
        with suppress(BasinError, OSError):
            run = store.get(run_id)
            if run_id not in awaited and run.state == "queued":
                run.end("interrupted", "No job was submitted for it: its process ended before.")
                ended += 1
    return ended


def _is_left_alone(store: RunStore, run_id: str) -> bool:
    """Whether the process that made a queued run is gone, or has done nothing for long."""
    with suppress(BasinError, OSError):
        run: Run = store.get(run_id)
        creator = run.status.created_by
        age = time.time() - (run.path / "status.json").stat().st_mtime
        if creator is None or not creator.is_on_this_machine:
            return age > ORPHAN_SECONDS
        return not creator.exists or age > WAITING_SECONDS
    return False
