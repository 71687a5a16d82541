"""The embedded cluster: a process of its own with a scheduler and workers, for one runs folder.

It listens on loopback only, with temporary TLS credentials; takes jobs from the queue folder; ends
when idle. At most one runs for a runs folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler
from distributed.security import Security

from engine.foundation.errors import BasinError, JobError
from engine.jobs.cluster_address import (
    CLUSTER_NAME,
    IDLE_SECONDS,
    JOBS_NAME,
    QUEUE_NAME,
    cluster_folder,
    cluster_is_alive,
    cluster_owner,
    wake_cluster,
)
from engine.jobs.delivery import submit_options
from engine.jobs.housekeeping import maintain
from engine.jobs.job import Job
from engine.jobs.perform import end_unstarted, perform
from engine.runs import RunStore
from engine.runs.ownership import Owner, Ownership
from engine.runs.records import SCHEMA_VERSION, read_record_or, write_record

QUEUE_SECONDS = 0.1
"""Between two looks at the queue folder."""

MAX_WORKERS = 8
"""Each worker loads torch; with more cores than this, every worker gets several threads."""

UNRESPONSIVE_SECONDS = 5.0
"""A task that does not stop so long after it was asked to loses its worker."""


def serve(store: RunStore, workers: int | None = None, idle_seconds: float = IDLE_SECONDS) -> None:
    """Be the embedded cluster of a runs folder until idle for ``idle_seconds`` or told to stop.

    Returns at once where another process already is. Raises JobError where the folder cannot be
    written.
    """
    folder = cluster_folder(store.root)
    ownership = Ownership(folder, f"The cluster of {store.root}", JobError)
    try:
        ownership.acquire(cluster_owner(store.root))
    except JobError:
        if _wait_for_the_other(store):
            return
        raise
    try:
        write_record(folder / "owner.json", {"owner": Owner.here().as_record()}, JobError)
        asyncio.run(_serve(store, workers, idle_seconds))
    finally:
        (folder / "address.json").unlink(missing_ok=True)
        ownership.release()
    if (store.root / JOBS_NAME / QUEUE_NAME).is_dir() and _queued(store):
        wake_cluster(store)  # came in while the door closed


def _wait_for_the_other(store: RunStore) -> bool:
    """Whether another cluster is alive; it may just have taken the lock."""
    start = time.monotonic()
    while time.monotonic() - start < 5.0:
        if cluster_is_alive(store.root):
            return True
        time.sleep(0.02)
    return False


async def _serve(store: RunStore, workers: int | None, idle_seconds: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    plan = _worker_plan(workers)
    security = Security.temporary()
    with dask.config.set(_dask_config(plan[0]["threads"])):
        async with AsyncExitStack() as stack:
            scheduler = await stack.enter_async_context(
                Scheduler(
                    host="127.0.0.1",
                    protocol="tls",
                    security=security,
                    dashboard=False,
                    dashboard_address="127.0.0.1:0",
                )
            )
            scheduler.http_server.stop()
            _publish(store.root / CLUSTER_NAME, scheduler.address, security)
            client = await stack.enter_async_context(
                Client(scheduler.address, security=security, asynchronous=True)
            )
            housekeeping = asyncio.create_task(asyncio.to_thread(maintain, store))
            nannies = [_nanny(scheduler.address, security, worker) for worker in plan]
            starting = asyncio.gather(*nannies)
            has_gpu = any(worker["gpu"] is not None for worker in plan)
            try:
                await _take_jobs(store, client, has_gpu, idle_seconds, stop)
            finally:
                with suppress(Exception):
                    await starting
                await housekeeping
                await asyncio.gather(*(nanny.close(timeout=2) for nanny in nannies))


async def _take_jobs(
    store: RunStore, client: Client, has_gpu: bool, idle_seconds: float, stop: asyncio.Event
) -> None:
    """Hand queued jobs to the scheduler until there were none for ``idle_seconds``."""
    at_work: dict[Path, Any] = {}
    asked: dict[Path, float] = {}
    idle_since = time.monotonic()
    while not stop.is_set() and store.root.exists():
        for marker in _queued(store):
            job = _taken(store, marker)
            if job is not None:
                gpu = has_gpu and bool(job.request["gpu"])
                options = submit_options(job, gpu)
                at_work[job.path] = client.submit(perform, str(job.path), **options)
        for path, future in list(at_work.items()):
            if future.done():
                del at_work[path]
                if future.status != "finished":
                    end_unstarted(Job(path), "interrupted", "The cluster lost it.")
        _stop_unresponsive(at_work, asked)
        if at_work:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > idle_seconds:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), QUEUE_SECONDS)


def _queued(store: RunStore) -> list[Path]:
    try:
        return sorted((store.root / JOBS_NAME / QUEUE_NAME).iterdir())
    except FileNotFoundError:
        return []


def _taken(store: RunStore, marker: Path) -> Job | None:
    """Take one job out of the queue; None where it cannot be done any more."""
    try:
        job = Job(store.root / JOBS_NAME / marker.name)
        record = {"cluster": Owner.here().as_record()}
        write_record(job.path / "delivery.json", record, JobError)
        marker.unlink()
        return job
    except FileNotFoundError:
        return None
    except BasinError:
        marker.unlink(missing_ok=True)
        return None


def _stop_unresponsive(at_work: dict[Path, Any], asked: dict[Path, float]) -> None:
    """End the worker of a job that was asked to stop and does not look."""
    for path in set(asked) - set(at_work):
        del asked[path]
    for path in at_work:
        if not (path / "cancel").exists():
            continue
        since = asked.setdefault(path, time.monotonic())
        if time.monotonic() - since > UNRESPONSIVE_SECONDS:
            asked[path] = float("inf")
            owner = Owner.from_record(_progress_record(path).get("owner"))
            if owner is not None and owner.is_on_this_machine and owner.exists:
                os.kill(owner.pid, signal.SIGKILL)


def _progress_record(path: Path) -> dict[str, Any]:
    with suppress(JobError):
        return read_record_or(path / "progress.json", {}, JobError)
    return {}


def _publish(folder: Path, address: str, security: Any) -> None:
    """Write the address file, readable by this user only from its first byte."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "address": address,
        "owner": Owner.here().as_record(),
        "credentials": {"certificate": security.tls_ca_file, "key": security.tls_client_key},
    }
    temporary = folder / f".address.{secrets.token_hex(4)}.partial"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2)
    os.replace(temporary, folder / "address.json")


def _worker_plan(workers: int | None) -> list[dict[str, Any]]:
    """One entry a worker: how many threads its arithmetic uses, and which GPU it has, if any."""
    from dask.system import CPU_COUNT

    count = workers or int(os.environ.get("BASIN_WORKERS") or min(CPU_COUNT, MAX_WORKERS))
    gpus = _gpus()
    threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, CPU_COUNT // count))
    return [
        {"name": n, "threads": threads, "gpu": gpus[n] if n < len(gpus) else None}
        for n in range(max(count, len(gpus)))
    ]


def _gpus() -> list[str]:
    """Indices of the CUDA GPUs, without importing torch here."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [index for index in visible.split(",") if index.strip() not in ("", "-1")]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def _nanny(address: str, security: Security, worker: dict[str, Any]) -> Nanny:
    """A worker that is started again when it dies. Only workers with a GPU see one."""
    gpu = worker["gpu"]
    return Nanny(
        address,
        nthreads=1,
        name=f"basin-{worker['name']}",
        host="127.0.0.1",
        protocol="tls",
        security=security,
        memory_limit=0,
        dashboard=False,
        dashboard_address="127.0.0.1:0",
        resources={} if gpu is None else {"GPU": 1},
        env={"CUDA_VISIBLE_DEVICES": "" if gpu is None else gpu},
        preload=["engine.cluster.preload"],
    )


def _dask_config(threads: int) -> dict[str, Any]:
    # A job that only waited on a killed worker must move on to another; a job that had started is
    # kept from running twice by ``perform``. Hence many allowed failures, and no retries.
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {
        "distributed.scheduler.allowed-failures": 1000,
        "distributed.scheduler.worker-ttl": None,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
        **{f"distributed.nanny.pre-spawn-environ.{name}": threads for name in names},
    }
