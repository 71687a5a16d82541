"""Deletes old job folders and ends queued runs that no job will train. Runs are never deleted.

A job folder is bookkeeping: what a job found lies in its runs.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from engine.foundation.errors import BasinError, JobError
from engine.jobs.cluster_address import JOBS_NAME
from engine.jobs.groups import Group, newest_group
from engine.jobs.job import Job
from engine.jobs.job_folders import job_folders
from engine.jobs.run_list import end_orphaned_runs
from engine.runs import RunStore
from engine.runs.ownership import Ownership

KEPT_JOBS = 1000
"""Ended jobs that stay, the newest."""

KEPT_DAYS = 30.0
"""Ended jobs go after so long, however few there are."""

FRESH_SECONDS = 24 * 3600.0
"""Jobs that ended so lately always stay: a page may still be showing them."""

PAUSE_SECONDS = 3600.0
"""Between two rounds that a submitting process makes."""

_DELETED = ".old-"


def maintain(store: RunStore) -> None:
    """One round; never raises, since nothing depends on it."""
    with suppress(OSError, BasinError, ValueError):
        prune_jobs(store)
        end_orphaned_runs(store)


_last_round: dict[Path, float] = {}


def maintain_if_due(store: RunStore) -> None:
    """A round in the background, unless this process made one within the hour."""
    moment = time.monotonic()
    if moment - _last_round.get(store.root, float("-inf")) < PAUSE_SECONDS:
        return
    _last_round[store.root] = moment
    threading.Thread(target=maintain, args=(store,), name="basin-housekeeping", daemon=True).start()


def prune_jobs(store: RunStore, keep: int = KEPT_JOBS, days: float = KEPT_DAYS) -> int:
    """Delete the folders of ended jobs beyond ``keep`` or older than ``days``; returns how many.

    Queued and running jobs stay, and damaged ones, those of the newest demonstration, and whatever
    ended within ``FRESH_SECONDS``. Ages come from the files' times; where the clock was set back,
    a job seems younger and stays longer.
    """
    folder = store.root / JOBS_NAME
    for partial in folder.glob(f"{_DELETED}*"):  # by a round that was cut short
        shutil.rmtree(partial, ignore_errors=True)
    newest = newest_group(store)
    shown: set[str] = set()
    if newest is not None:
        with suppress(OSError, ValueError):
            shown = Group(store, newest).job_names()
    pruned = ended = 0
    for path in sorted(job_folders(store), reverse=True):
        age = _seconds_since_end(path)
        if age < FRESH_SECONDS or path.name in shown or not _is_over(path):
            continue
        ended += 1
        if (ended > keep or age > days * 86400) and _delete(path):
            pruned += 1
    return pruned


def _seconds_since_end(path: Path) -> float:
    newest = 0.0
    for name in ("progress.json", "request.json", "delivery.json", "cancel"):
        with suppress(FileNotFoundError):
            newest = max(newest, (path / name).stat().st_mtime)
    return time.time() - newest


def _is_over(path: Path) -> bool:
    try:
        return Job(path).status().is_over
    except BasinError:  # damaged or of a newer version: left alone
        return False


def _delete(path: Path) -> bool:
    """Delete one job folder, renamed first so that nobody reads half of it."""
    ownership = Ownership(path, f"Job {path.name}", JobError)
    try:
        ownership.acquire(None)
    except JobError:  # somebody works on it after all, or the folder cannot be written
        return False
    gone = path.with_name(f"{_DELETED}{secrets.token_hex(8)}")
    try:
        path.rename(gone)
    except OSError:
        return False
    finally:
        ownership.release()
    shutil.rmtree(gone, ignore_errors=True)
    return True
