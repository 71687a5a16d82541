"""Performing a job in this process: claim its folder, report progress, stop when asked, end it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.foundation.errors import BasinError, Cancelled, JobError
from engine.foundation.progress import Progress, silent
from engine.jobs.job import Job
from engine.jobs.reporter import Reporter
from engine.jobs.settle import settle_runs
from engine.jobs.tasks import load_task
from engine.runs import RunStore
from engine.runs.mlflow_log import log_ended_runs
from engine.runs.ownership import Owner, Ownership
from engine.runs.records import read_record_or, write_record
from engine.runs.status import RunState

imports_failed = threading.Event()
"""Set in a worker process that imported only half of a package; it must not begin a job."""


def perform(path: str, progress: Progress = silent) -> str:
    """Do the job in a folder, once, and return the state it ended in.

    A job is never done twice: where a scheduler sends it again because its worker was lost, it ends
    as ``interrupted``. Only a job that failed while its modules were imported in a worker, so that
    none of it was done, is left to another worker, once. Only KeyboardInterrupt and SystemExit
    leave this function.
    """
    if imports_failed.is_set():
        os._exit(1)  # the worker is started again; the job moves on
    job = Job(Path(path))
    ownership = Ownership(job.path, f"Job {job.id}", JobError)
    while True:
        record = read_record_or(job.path / "progress.json", {"state": "queued"}, JobError)
        if record["state"] not in ("queued", "running"):
            return str(record["state"])
        try:
            ownership.acquire(Owner.from_record(record.get("owner")))
            break
        except JobError:  # its first worker is cut off from the scheduler, but still at work
            time.sleep(0.5)
    try:
        reporter = Reporter(job, progress)
        if record["state"] == "running":
            end: RunState = "cancelled" if job.cancel_asked else "interrupted"
            reason = "Its worker was lost."
            if end == "cancelled":
                reason = "It did not stop when asked, so its worker was ended."
            settle_runs(job.path, end, reason)
            reporter.end(end, reason)
        else:
            _do(job, reporter)
    finally:
        ownership.release()
    if imports_failed.is_set():
        os._exit(1)
    return reporter.state


def _do(job: Job, reporter: Reporter) -> None:
    request = job.request
    store = RunStore(job.root, on_create=lambda run: reporter.attach(run.id))
    for run_id in request.get("run_ids", ()):
        reporter.attach(run_id)
    try:
        with _log_to(job.path / "log.txt"):
            reporter.start()
            result = load_task(request["task"])(store, dict(request["params"]), reporter)
            write_record(job.path / "result.json", {"result": result}, JobError)
        reporter.end("finished")
    except Cancelled as stop:
        reporter.end("cancelled", str(stop))
    except BasinError as error:
        reporter.log(traceback.format_exc())
        reporter.end("failed", _one_line(str(error)))
    except (KeyboardInterrupt, SystemExit):
        reporter.end("interrupted", "Its process was asked to stop.")
        raise
    except BaseException as error:
        reporter.log(traceback.format_exc())
        if _is_in_worker() and _failed_while_importing(error):
            imports_failed.set()
            if not reporter.was_requeued:
                reporter.requeue()
                return
        reporter.end("failed", _one_line(f"{type(error).__name__}: {error}"))
    finally:
        settle_runs(job.path, reporter.state, reporter.reason)
    if request["task"] == "train":  # after the end is written, so that nobody waits for a server
        with _log_to(job.path / "log.txt"):
            log_ended_runs(store, reporter.run_ids)


def _is_in_worker() -> bool:
    """Whether this is a Dask worker's process, which is started again when it ends."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def _failed_while_importing(error: BaseException) -> bool:
    """Whether a module's own code raised it, so that the module is imported by half."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "<module>" for frame, _ in frames)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Send this thread's records of the ``engine`` loggers to a file."""
    thread = threading.get_ident()
    with suppress(OSError):
        path.touch()
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.addFilter(lambda record: record.thread == thread)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("engine")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def end_unstarted(job: Job, state: Any, reason: str) -> None:
    """End a job that no worker ever took, unless one did meanwhile."""
    ownership = Ownership(job.path, f"Job {job.id}", JobError)
    with suppress(JobError):
        ownership.acquire(None)
        try:
            record = read_record_or(job.path / "progress.json", {"state": "queued"}, JobError)
            if record["state"] in ("queued", "running"):
                Reporter(job, silent).end(state, reason)
                settle_runs(job.path, state, reason)
        finally:
            ownership.release()
