"""The progress a task reports to: writes how far it is, and raises once a cancel is requested."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from engine.foundation.errors import Cancelled, JobError
from engine.foundation.progress import Progress
from engine.jobs.job import Job
from engine.runs.ownership import Owner
from engine.runs.records import SCHEMA_VERSION, plain, read_record_or, write_record
from engine.runs.status import now

CHECK_SECONDS = 0.2
"""Rate limit for checks of a cancel request."""

WRITE_SECONDS = 0.3
"""Rate limit for progress writes."""


class Reporter:
    """A ``Progress`` that keeps a job's ``progress.json``; raises Cancelled once asked to stop."""

    def __init__(self, job: Job, watcher: Progress) -> None:
        self._job = job
        self._watcher = watcher
        self._record = read_record_or(job.path / "progress.json", {"state": "queued"}, JobError)
        self._last_check = self._last_write = float("-inf")
        self._start: tuple[float, float] | None = None

    @property
    def state(self) -> Any:
        return self._record["state"]

    @property
    def reason(self) -> str:
        return str(self._record.get("reason", ""))

    @property
    def run_ids(self) -> list[str]:
        return list(self._record.get("run_ids", ()))

    def attach(self, run_id: str) -> None:
        """Note a run that this job makes or works on."""
        if run_id not in self.run_ids:
            self._record["run_ids"] = [*self.run_ids, run_id]
            self._write()

    def start(self) -> None:
        """Say that the work begins; raises Cancelled if it should not, JobError if not written."""
        self._record |= {"state": "running", "started": now(), "share": 0.0, "message": "starting"}
        self._record["owner"] = Owner.here().as_record()
        write_record(self._job.path / "progress.json", self._record, JobError)
        self._raise_if_cancelled()

    @property
    def was_requeued(self) -> bool:
        """Whether an earlier worker failed to begin it."""
        return bool(self._record.get("requeued"))

    def requeue(self) -> None:
        """Say that it waits again, once, because this process could not begin it."""
        self._record |= {"state": "queued", "requeued": True, "started": "", "message": ""}
        self.log("This worker could not begin it; another one will.")
        self._write()

    def __call__(self, share: float, message: str = "") -> None:
        """Report; raises Cancelled if somebody asked to stop."""
        moment = time.monotonic()
        share = min(max(float(share), 0.0), 1.0)
        if self._start is None:
            self._start = (moment, share)
        if moment - self._last_check >= CHECK_SECONDS or share == 1.0:
            self._raise_if_cancelled()
            self._last_check = moment
        if message and message != self._record.get("message"):
            self._record["message"] = message
        self._record["share"] = share
        self._record["seconds_left"] = self._seconds_left(moment, share)
        if moment - self._last_write >= WRITE_SECONDS:
            self.log(f"{share:6.1%} {self._record['message']}")
            self._write()
            self._last_write = moment
        self._watcher(share, message)

    def _raise_if_cancelled(self) -> None:
        if self._job.cancel_asked:
            raise Cancelled("Stopped at the user's request.")

    def _seconds_left(self, moment: float, share: float) -> float | None:
        assert self._start is not None
        began, first = self._start
        if share - first < 0.01 or moment - began < 0.5:
            return None
        return round((moment - began) * (1.0 - share) / (share - first), 1)

    def end(self, state: str, reason: str = "") -> None:
        """Say how it ended. On a full disk it cannot; then it reads ``interrupted``."""
        self._record |= {"state": state, "reason": reason, "ended": now(), "seconds_left": None}
        if state == "finished":
            self._record["share"] = 1.0
        self.log(f"{state}. {reason}".strip())
        with suppress(JobError):
            write_record(self._job.path / "progress.json", self._record, JobError)

    def log(self, text: str) -> None:
        """Append to the job's log, with the time."""
        moment = datetime.now(UTC).strftime("%H:%M:%S")
        with suppress(OSError), open(self._job.path / "log.txt", "a", encoding="utf-8") as log:
            log.write(f"{moment} {text.rstrip()}\n")

    def _write(self) -> None:
        """Write the progress without waiting for the disk: losing the last step costs nothing."""
        path = self._job.path / "progress.json"
        temporary = path.with_name(f".progress.{os.getpid()}.partial")
        record = {"schema_version": SCHEMA_VERSION, **plain(self._record)}
        with suppress(OSError):
            temporary.write_text(json.dumps(record, indent=2), encoding="utf-8")
            os.replace(temporary, path)
