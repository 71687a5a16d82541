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
from distributed import Client, Scheduler
from distributed.security import Security

from engine.cluster.embedded_workers import dask_config, nanny, plan_workers
from engine.cluster.job_queue import queued_jobs, run_queued_jobs
from engine.foundation.errors import JobError
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
from engine.jobs.housekeeping import maintain
from engine.runs import RunStore
from engine.runs.ownership import Owner, Ownership
from engine.runs.records import SCHEMA_VERSION, write_record


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
    if (store.root / JOBS_NAME / QUEUE_NAME).is_dir() and queued_jobs(store):
        wake_cluster(store)  # submitted while this cluster was ending


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
    plan = plan_workers(workers)
    security = Security.temporary()
    with dask.config.set(dask_config(plan[0]["threads"])):
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
            nannies = [nanny(scheduler.address, security, worker) for worker in plan]
            starting = asyncio.gather(*nannies)
            has_gpu = any(worker["gpu"] is not None for worker in plan)
            try:
                await run_queued_jobs(store, client, has_gpu, idle_seconds, stop)
            finally:
                with suppress(Exception):
                    await starting
                await housekeeping
                await asyncio.gather(*(nanny.close(timeout=2) for nanny in nannies))


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
