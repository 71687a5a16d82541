"""A job is a folder too: what to do, how far it is, and what came out. Any process can look.

``<root>/.jobs/<id>/`` holds ``request.json``, ``delivery.json`` (who will run it),
``progress.json``, ``log.txt``, ``result.json`` and, once somebody asked it to stop, ``cancel``.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from engine.foundation.errors import BasinError, Cancelled, JobError
from engine.foundation.progress import Progress, silent
from engine.jobs.settle import settle_runs
from engine.jobs.why_stuck import why_stuck
from engine.runs.ownership import Owner, is_alive
from engine.runs.records import read_record, read_record_or, writing
from engine.runs.status import now, seconds_between

JobState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class JobStatus:
    """How a job stands. Times are ISO 8601 in UTC, '' where not reached."""

    state: JobState
    share: float = 0.0
    """Share done, 0 to 1."""
    message: str = ""
    """What is being done."""
    seconds_left: float | None = None
    """Estimate from the pace so far; None where it cannot be told."""
    reason: str = ""
    """Why it ended as it did, in one line; '' for a normal end."""
    submitted: str = ""
    started: str = ""
    ended: str = ""
    run_ids: tuple[str, ...] = ()
    """Runs that it was given or that it made."""

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")

    @property
    def seconds(self) -> float | None:
        """From start to end, or until now; None before it started."""
        return seconds_between(self.started, self.ended or now())


_settled: set[Path] = set()
"""Ended jobs whose runs this process has looked after."""


class Job:
    """One job folder, read anew at every call. Raises JobError if the folder holds no job."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not (self.path / "request.json").is_file():
            raise JobError(f"There is no job '{self.id}' in {self.path.parent}.")

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The runs folder that it belongs to."""
        return self.path.parent.parent

    def __repr__(self) -> str:
        return f"Job({str(self.path)!r})"

    @property
    def request(self) -> dict[str, Any]:
        """What was asked: ``task``, ``params``, ``run_ids``, ``gpu``, ``submitted``."""
        return read_record(self.path / "request.json", JobError)

    @property
    def task(self) -> str:
        return str(self.request["task"])

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.request["params"])

    def status(self) -> JobStatus:
        """How it stands now; a job whose process or cluster is gone reads ``interrupted``.

        Runs that wait for a job which is over are ended with its reason.
        Raises JobError where a record is damaged or of a newer version.
        """
        request = self.request
        record = read_record_or(self.path / "progress.json", {"state": "queued"}, JobError)
        state: Any = record.get("state")
        if state not in get_args(JobState):
            raise JobError(
                f"{self.path / 'progress.json'}: state is {state!r}; allowed are "
                f"{', '.join(get_args(JobState))}."
            )
        reason = str(record.get("reason", ""))
        if state in ("queued", "running"):
            state, reason = self._actual_state(state, record, reason)
        if state not in ("queued", "running") and self.path not in _settled:
            _settled.add(self.path)
            with suppress(BasinError):  # a full or read-only disk
                settle_runs(self.path, state, reason)
        seconds_left = record.get("seconds_left") if state == "running" else None
        return JobStatus(
            state=state,
            share=float(record.get("share", 0.0)),
            message=str(record.get("message", "")),
            seconds_left=seconds_left,
            reason=reason,
            submitted=str(request.get("submitted", "")),
            started=str(record.get("started", "")),
            ended=str(record.get("ended", "")),
            run_ids=tuple(record.get("run_ids", request.get("run_ids", ()))),
        )

    def _actual_state(self, state: str, record: dict[str, Any], reason: str) -> tuple[Any, str]:
        """The state and reason of a job recorded as ``queued`` or ``running``."""
        if state == "queued":
            if self.cancel_asked:
                return "cancelled", "Cancelled before it started."
            stuck = why_stuck(self.path)
            return ("interrupted", stuck) if stuck else ("queued", reason)
        owner = Owner.from_record(record.get("owner"))
        if is_alive(owner, self.path):
            return "running", reason
        if self.cancel_asked:
            return "cancelled", "Stopped at the user's request."
        return "interrupted", f"Its {owner} is gone." if owner else "No process works on it."

    @property
    def cancel_asked(self) -> bool:
        return (self.path / "cancel").exists()

    def cancel(self) -> None:
        """Ask it to stop at its next step; raises JobError where that cannot be written."""
        with writing(self.path / "cancel", JobError):
            os.close(os.open(self.path / "cancel", os.O_WRONLY | os.O_CREAT, 0o644))

    def wait(
        self, timeout: float | None = None, progress: Progress = silent, poll: float = 0.1
    ) -> JobStatus:
        """Wait until it is over, telling ``progress`` how far it is.

        Raises JobError after ``timeout`` seconds; the job goes on.
        """
        start = time.monotonic()
        while not (status := self.status()).is_over:
            progress(status.share, status.message)
            if timeout is not None and time.monotonic() - start > timeout:
                raise JobError(f"Job {self.id} is still {status.state} after {timeout:g} s.")
            time.sleep(poll)
        progress(status.share, status.message)
        return status

    def result(self) -> dict[str, Any]:
        """What the task returned; raises Cancelled or JobError (with the reason) without one."""
        status = self.status()
        if status.state == "cancelled":
            raise Cancelled(status.reason or f"Job {self.id} was cancelled.")
        if status.state != "finished":
            raise JobError(status.reason or f"Job {self.id} has no result yet ({status.state}).")
        return dict(read_record(self.path / "result.json", JobError)["result"])

    def log(self, most_bytes: int | None = None) -> str:
        """Its log so far, or whole lines from its end; '' before it starts."""
        try:
            with open(self.path / "log.txt", "rb") as file:
                size = os.fstat(file.fileno()).st_size
                cut = most_bytes is not None and size > most_bytes
                file.seek(size - (most_bytes or 0) if cut else 0)
                text = file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return text.partition("\n")[2] if cut else text
