"""Handing jobs to a scheduler that somebody else runs, which then has them without this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import JobError
from engine.jobs.job import Job
from engine.jobs.perform import perform
from engine.jobs.scheduler_address import security_from_environment
from engine.runs.records import write_record

if TYPE_CHECKING:
    from distributed import Scheduler

CONNECT_SECONDS = 30.0


def dask_key(job_id: str) -> str:
    return f"basin-job-{job_id}"


def deliver_to_scheduler(jobs: Sequence[Job], address: str) -> None:
    """Hand jobs to a scheduler, which then has them without this process.

    Raises JobError where the scheduler cannot be reached or refuses.
    """
    from distributed import Client, fire_and_forget

    security = security_from_environment(address)
    try:
        with Client(
            address, security=security, timeout=CONNECT_SECONDS, set_as_default=False
        ) as client:
            delivery = {"scheduler": address, "scheduler_id": client.run_on_scheduler(_identity)}
            has_gpu = client.run_on_scheduler(_has_gpu)
            for job in jobs:
                write_record(job.path / "delivery.json", delivery, JobError)
                options = submit_options(job, has_gpu and bool(job.request["gpu"]))
                fire_and_forget(client.submit(perform, str(job.path), **options))
            for job in jobs:
                _until_known(client, job)
                write_record(job.path / "delivery.json", delivery | {"taken": True}, JobError)
    except (OSError, TimeoutError, ValueError) as error:
        raise JobError(
            f"The scheduler {address} cannot be used: {type(error).__name__}: {error}"
        ) from error


def submit_options(job: Job, gpu: bool) -> dict[str, Any]:
    """How a job is given to Dask: by its own key, never cached, never retried."""
    options: dict[str, Any] = {"key": dask_key(job.id), "pure": False, "retries": 0}
    return options | ({"resources": {"GPU": 1}} if gpu else {})


def _until_known(client: Any, job: Job) -> None:
    """Wait until the scheduler holds the job by itself."""
    start = time.monotonic()
    while job.status().state == "queued" and not client.run_on_scheduler(_holds, dask_key(job.id)):
        if time.monotonic() - start > CONNECT_SECONDS:
            raise TimeoutError(f"it did not take job {job.id}")
        time.sleep(0.02)


def _holds(key: str, dask_scheduler: Scheduler) -> bool:
    task = dask_scheduler.tasks.get(key)
    wanted_by = task.who_wants if task is not None else None
    return any(client.client_key == "fire-and-forget" for client in wanted_by or ())


def _identity(dask_scheduler: Scheduler) -> str:
    return str(dask_scheduler.id)


def _has_gpu(dask_scheduler: Scheduler) -> bool:
    return any(worker.resources.get("GPU") for worker in dask_scheduler.workers.values())
