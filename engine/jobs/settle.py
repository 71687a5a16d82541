"""The end of runs whose job is over and will not work on them any more."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from engine.foundation.errors import BasinError, JobError
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import read_record, read_record_or
from engine.runs.status import RunState


def settle_runs(folder: Path, state: RunState, reason: str) -> None:
    """Give runs that a job left behind its end: those that never started, and those it worked on
    when its process was ended because it did not stop in time.

    Raises JobError where the job's records are damaged.
    """
    if state not in ("failed", "interrupted", "cancelled"):
        return
    store = RunStore(folder.parent.parent)
    record = read_record_or(folder / "progress.json", {}, JobError)
    lost = Owner.from_record(record.get("owner")) if record.get("state") == "running" else None
    request = read_record(folder / "request.json", JobError)
    for run_id in record.get("run_ids", request.get("run_ids", ())):
        with suppress(BasinError):
            run = store.get(run_id)
            status = run.status
            if status.state == "queued" and status.waits_for in ("", folder.name):
                run.end(state, reason)
            elif state == "cancelled" and lost is not None:
                run.end_after(lost, state, reason)
