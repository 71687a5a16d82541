"""Asking for work, and finding work that was asked for."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.foundation.errors import BasinError, Cancelled, JobError
from engine.foundation.progress import Progress, silent
from engine.jobs.cluster_address import JOBS_NAME, QUEUE_NAME, cluster_folder, wake_cluster
from engine.jobs.delivery import deliver_to_scheduler
from engine.jobs.housekeeping import maintain_if_due
from engine.jobs.job import Job
from engine.jobs.job_folders import active_jobs, job_folders
from engine.jobs.perform import end_unstarted, perform
from engine.jobs.scheduler_address import SCHEDULER, chosen_scheduler
from engine.jobs.tasks import check_task_name
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import write_record, writing
from engine.runs.status import now

__all__ = [
    "active_for",
    "active_jobs",
    "find_job",
    "jobs",
    "run_and_wait",
    "run_here",
    "submit",
    "submit_all",
    "wants_gpu",
]


def submit(
    store: RunStore,
    task: str,
    params: Mapping[str, Any],
    run_ids: Sequence[str] = (),
    *,
    scheduler: str | None = None,
    gpu: bool | None = None,
) -> Job:
    """Ask for a task to be done in the background, and return at once.

    It runs on ``scheduler`` (else ``BASIN_SCHEDULER``, else, and for 'embedded', the embedded
    cluster, which is started if need be and not waited for). ``gpu`` asks for a worker with a GPU
    where the cluster has one; None means: if the params name the device 'auto' or 'cuda'.

    Raises JobError where the task is unknown, the scheduler is refused or cannot be reached, or the
    folder cannot be written.
    """
    return submit_all(store, task, [(params, run_ids)], scheduler=scheduler, gpu=gpu)[0]


def submit_all(
    store: RunStore,
    task: str,
    asked: Sequence[tuple[Mapping[str, Any], Sequence[str]]],
    *,
    scheduler: str | None = None,
    gpu: bool | None = None,
) -> list[Job]:
    """``submit`` one task with each of several params and their run ids, over one connection.

    Where it is refused, runs that wait for it end as ``failed`` with the reason.
    """
    try:
        check_task_name(task)
        address = chosen_scheduler(scheduler)
    except JobError as refusal:
        for _, run_ids in asked:
            for run_id in run_ids:
                if (run := store.get(run_id)).state == "queued":
                    run.end("failed", str(refusal))
        raise
    if address is not None:  # the embedded cluster does it as it starts
        maintain_if_due(store)
    created = [
        create_job(store, task, params, run_ids, wants_gpu(params) if gpu is None else gpu)
        for params, run_ids in asked
    ]
    if task == "train":  # what stopped on the way waits again
        for job, (_, run_ids) in zip(created, asked, strict=True):
            for run_id in run_ids:
                store.get(run_id).queue(job.id)
    if address is None:
        _deliver_to_embedded(store, created)
        return created
    try:
        deliver_to_scheduler(created, address)
    except BasinError as error:
        for job in created:
            if not (job.path / "delivery.json").exists():
                end_unstarted(job, "failed", str(error))
        raise
    return created


def _deliver_to_embedded(store: RunStore, new_jobs: Sequence[Job]) -> None:
    cluster_folder(store.root)
    for job in new_jobs:
        with writing(job.path, JobError):
            (job.path.parent / QUEUE_NAME / job.id).touch()
    owner = wake_cluster(store)
    for job in new_jobs:
        if not (job.path / "delivery.json").exists():
            write_record(job.path / "starting.json", {"starts": owner.as_record()}, JobError)


def run_here(
    store: RunStore,
    task: str,
    params: Mapping[str, Any],
    progress: Progress = silent,
    run_ids: Sequence[str] = (),
) -> Job:
    """Do a task in this process, kept as any other job; returns when it is over."""
    job = create_job(store, task, params, run_ids, gpu=False)
    perform(str(job.path), progress)
    return job


def run_and_wait(
    store: RunStore,
    task: str,
    params: Mapping[str, Any],
    progress: Progress = silent,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Do a task and return its result: on ``scheduler``, else ``BASIN_SCHEDULER``, else here.

    Whoever interrupts the waiting stops the job. Raises JobError where it fails, Cancelled where it
    was cancelled.
    """
    runs = [params["run"]] if "run" in params else list(params.get("runs", ()))
    if not (scheduler or os.environ.get(SCHEDULER)):
        return run_here(store, task, params, progress, runs).result()
    job = submit(store, task, params, runs, scheduler=scheduler)
    try:
        job.wait(progress=progress)
    except (KeyboardInterrupt, Cancelled):
        job.cancel()
        raise
    return job.result()


def jobs(store: RunStore) -> list[Job]:
    """All jobs of the runs folder, newest first."""
    return [Job(path) for path in sorted(job_folders(store), reverse=True)]


def find_job(store: RunStore, job_id: str) -> Job:
    """The job of that id; raises JobError if there is none."""
    return Job(store.root / JOBS_NAME / Path(job_id).name)


def active_for(store: RunStore, run_id: str) -> Job | None:
    """The newest queued or running job that makes or works on a run; None if there is none."""
    for job in active_jobs(store):
        if run_id in job.status().run_ids:
            return job
    return None


def wants_gpu(params: Any) -> bool:
    """Whether params name, at any depth, the device 'auto' or 'cuda'."""
    if isinstance(params, Mapping):
        return params.get("device") in ("auto", "cuda") or any(map(wants_gpu, params.values()))
    return isinstance(params, list | tuple) and any(map(wants_gpu, params))


def create_job(
    store: RunStore, task: str, params: Mapping[str, Any], run_ids: Sequence[str], gpu: bool
) -> Job:
    """The folder of a new job; appears whole or not at all."""
    request = {
        "task": check_task_name(task),
        "params": dict(params),
        "run_ids": list(run_ids),
        "gpu": gpu,
        "submitted": now(),
        "submitter": Owner.here().as_record(),
    }
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    slug = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")
    target = store.root_made() / JOBS_NAME / f"{moment}-{slug}-{secrets.token_hex(2)}"
    temporary = target.with_name(f".new-{secrets.token_hex(8)}")
    with writing(target, JobError):
        try:
            temporary.mkdir(parents=True)
            write_record(temporary / "request.json", request, JobError)
            os.rename(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return Job(target)
