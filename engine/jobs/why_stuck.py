"""Whether a queued job still has somebody who will run it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.foundation.errors import JobError
from engine.jobs.cluster_address import CLUSTER_NAME, cluster_is_alive
from engine.runs.ownership import Owner, is_alive
from engine.runs.records import read_record_or

PROBE_SECONDS = 5.0
"""How long an answer about an outside scheduler is believed."""

_probed: dict[str, tuple[float, bool]] = {}
_identities: dict[str, tuple[float, str | None]] = {}


def why_stuck(job: Path) -> str:
    """Why a queued job will not start any more; '' while it may.

    ``delivery.json`` names an outside ``scheduler`` with its ``scheduler_id`` and whether it has
    ``taken`` the job, or the embedded ``cluster`` that took it. Before it exists, the process in
    ``starting.json`` is becoming that cluster, or the submitting process is still at work.
    """
    delivery = read_record_or(job / "delivery.json", {}, JobError)
    if scheduler := delivery.get("scheduler"):
        return _why_lost(job, str(scheduler), delivery)
    folder = job.parent.parent / CLUSTER_NAME
    if cluster := Owner.from_record(delivery.get("cluster")):
        alive = is_alive(cluster, folder)
        return "" if alive else f"The cluster ({cluster}) ended before the job started."
    starter = Owner.from_record(_starting(job) or _submitter(job))
    if cluster_is_alive(job.parent.parent) or (starter is not None and _is_there(starter)):
        return ""
    return f"No cluster took it; {folder / 'cluster.log'} tells why."


def _why_lost(job: Path, scheduler: str, delivery: dict[str, Any]) -> str:
    if not _answers(scheduler):
        return f"The scheduler {scheduler} does not answer."
    if not (recorded := delivery.get("scheduler_id")):
        return ""
    present = _identity(scheduler)
    if present is not None and present != recorded:
        return f"The scheduler {scheduler} was started anew and does not know this job."
    submitter = Owner.from_record(_submitter(job))
    if not delivery.get("taken") and submitter is not None and not _is_there(submitter):
        return f"Its {submitter} ended while handing it to {scheduler}."
    return ""


def _starting(job: Path) -> object:
    return read_record_or(job / "starting.json", {}, JobError).get("starts")


def _submitter(job: Path) -> object:
    return read_record_or(job / "request.json", {}, JobError).get("submitter")


def _is_there(owner: Owner) -> bool:
    # On another machine nothing beats for a process that only submits; it is assumed to be there.
    return owner.exists if owner.is_on_this_machine else True


def _identity(scheduler: str) -> str | None:
    """Which scheduler is at that address now; None where that cannot be told."""
    known = _identities.get(scheduler)
    if known is None or time.monotonic() - known[0] >= PROBE_SECONDS:
        from engine.jobs.scheduler_address import identity_of

        # One that is too busy to answer is still the one that it was.
        known = (time.monotonic(), identity_of(scheduler) or (known[1] if known else None))
        _identities[scheduler] = known
    return known[1]


def _answers(scheduler: str) -> bool:
    known = _probed.get(scheduler)
    if known is not None and time.monotonic() - known[0] < PROBE_SECONDS:
        return known[1]
    parts = urlsplit(scheduler)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 8786), timeout=2.0).close()
        answer = True
    except OSError:
        answer = False
    _probed[scheduler] = (time.monotonic(), answer)
    return answer
