"""Trainings that stopped on the way: which are at work, and going on with the others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from app.selection.workspace import run_store
from engine.jobs import Job, active_jobs, list_runs, submit

STOPPED = ("interrupted", "cancelled", "failed")
"""States of runs that can be gone on with."""


def jobs_under_way() -> list[Job]:
    """Trainings that are queued or running, whoever asked for them, oldest first."""
    return [job for job in reversed(active_jobs(run_store())) if job.task == "train"]


def runs_at_work() -> set[str]:
    """Runs that a queued or running training makes."""
    return {run for job in jobs_under_way() for run in job.status().run_ids}


def stopped_runs() -> pd.DataFrame:
    """Rows of the runs that stopped before their end and that nobody works on, newest first."""
    table = list_runs(run_store())
    return table[table["state"].isin(STOPPED) & ~table["id"].isin(runs_at_work())]


def resume(run_ids: Sequence[str]) -> int:
    """Queue the stopped ones of these runs, each from its checkpoint if it has one; how many."""
    stopped = [run for run in run_ids if run in set(stopped_runs()["id"])]
    for run in stopped:
        submit(run_store(), "train", {"run": run}, [run])
    return len(stopped)
