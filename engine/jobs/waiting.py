"""Whether a queued job still has somebody who will run it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from engine.foundation.errors import JobError
from engine.jobs.address import CLUSTER_NAME, cluster_is_alive
from engine.runs.ownership import Owner, is_alive
from engine.runs.records import read_record_or

PROBE_SECONDS = 5.0
"""How long an answer about an outside scheduler is believed."""

_probed: dict[str, tuple[float, bool]] = {}


def waits_in_vain(job: Path) -> str:
    """Why a queued job will not start any more; '' while it may.

    ``delivery.json`` names an outside ``scheduler``, or the embedded ``cluster`` that took it.
    Before it exists, the process in ``starting.json`` is becoming that cluster, or the submitting
    process is still at work.
    """
    delivery = read_record_or(job / "delivery.json", {}, JobError)
    if scheduler := delivery.get("scheduler"):
        return "" if _answers(scheduler) else f"The scheduler {scheduler} does not answer."
    folder = job.parent.parent / CLUSTER_NAME
    if cluster := Owner.from_record(delivery.get("cluster")):
        alive = is_alive(cluster, folder)
        return "" if alive else f"The cluster ({cluster}) ended before the job started."
    starter = Owner.from_record(_starting(job) or _submitter(job))
    if cluster_is_alive(job.parent.parent) or (starter is not None and _is_there(starter)):
        return ""
    return f"No cluster took it; {folder / 'cluster.log'} tells why."


def _starting(job: Path) -> object:
    return read_record_or(job / "starting.json", {}, JobError).get("starts")


def _submitter(job: Path) -> object:
    return read_record_or(job / "request.json", {}, JobError).get("submitter")


def _is_there(owner: Owner) -> bool:
    # On another machine nothing beats for a process that only submits; it is given the doubt.
    return owner.exists if owner.is_on_this_machine else True


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
