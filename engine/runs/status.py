"""The state of a run: what its record says, corrected by whether its process is still there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from engine.foundation.errors import RunError
from engine.runs.ownership import Owner, is_alive
from engine.runs.records import read_record_or

RunState = Literal[
    "queued", "running", "finished", "diverged", "failed", "cancelled", "interrupted"
]


def now() -> str:
    """This moment in UTC, as ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_between(start: str, end: str) -> float | None:
    """Seconds from one moment to another; None where either is missing or the clock went back."""
    if not start or not end:
        return None
    try:
        seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if seconds >= 0 else None


@dataclass(frozen=True)
class RunStatus:
    """How a run stands. Times are ISO 8601 in UTC, '' where not reached."""

    state: RunState
    reason: str = ""
    """Why it ended as it did, in one line; '' for a normal end."""
    created: str = ""
    started: str = ""
    ended: str = ""
    owner: Owner | None = None
    """The process that works, or last worked, on it."""
    waits_for: str = ""
    """The job that it was queued again for; '' for its first."""
    created_by: Owner | None = None
    """The process that made it."""

    @classmethod
    def read(cls, folder: Path) -> RunStatus:
        """The status of the run in a folder.

        Raises RunError where the record is damaged or of a newer version.
        """
        path = folder / "status.json"
        record = read_record_or(path, {"state": "interrupted", "reason": "It has no status.json."})
        state: Any = record.get("state")
        if state not in get_args(RunState):
            raise RunError(
                f"{path}: state is {state!r}; allowed are {', '.join(get_args(RunState))}."
            )
        owner = Owner.from_record(record.get("owner"))
        reason = str(record.get("reason", ""))
        if state == "running" and not is_alive(owner, folder):
            state = "interrupted"
            reason = f"Its {owner} is gone." if owner else "No process works on it."
        created, started, ended = (str(record.get(k, "")) for k in ("created", "started", "ended"))
        waits_for = str(record.get("waits_for", ""))
        creator = Owner.from_record(record.get("created_by"))
        return cls(state, reason, created, started, ended, owner, waits_for, creator)

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")

    @property
    def seconds(self) -> float | None:
        """From the last start to the end, or until now; None before it started."""
        return seconds_between(self.started, self.ended or now())
