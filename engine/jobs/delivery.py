"""Schedulers that somebody else runs: which one is meant, whether it is safe, and handing over."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.foundation.errors import JobError
from engine.jobs.job import Job
from engine.jobs.perform import perform
from engine.runs.records import write_record

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.security import Security

SCHEDULER = "BASIN_SCHEDULER"
ALLOW_INSECURE = "BASIN_ALLOW_INSECURE"
TLS_CA, TLS_CERT, TLS_KEY = "BASIN_TLS_CA", "BASIN_TLS_CERT", "BASIN_TLS_KEY"

EMBEDDED = "embedded"
"""In place of an address: the runs folder's own cluster, whatever ``BASIN_SCHEDULER`` says."""

CONNECT_SECONDS = 30.0


def chosen_scheduler(named: str | None = None) -> str | None:
    """The outside scheduler to use: the one named, else ``BASIN_SCHEDULER``; None for 'embedded'
    and where none is named.

    Raises JobError where the address is not understood, or is unencrypted, leads to another machine
    and ``BASIN_ALLOW_INSECURE=1`` is not set; with it set, warns.
    """
    address = named or os.environ.get(SCHEDULER) or ""
    if address in ("", EMBEDDED):
        return None
    parts = urlsplit(address)
    try:
        complete = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        complete = False
    if not complete:
        raise JobError(
            f"The scheduler is '{address}'; tls://HOST:PORT or tcp://HOST:PORT is needed, or "
            f"'{EMBEDDED}' for the cluster of the runs folder."
        )
    if parts.scheme == "tcp" and not _is_loopback(parts.hostname or ""):
        if os.environ.get(ALLOW_INSECURE) != "1":
            raise JobError(
                f"{address} is not encrypted: whoever reaches it can run any code as you. Use "
                f"tls:// (docs/cluster.md), or set {ALLOW_INSECURE}=1 on a network you trust."
            )
        warnings.warn(
            f"{address} is not encrypted: whoever reaches it can run any code as you.",
            RuntimeWarning,
            stacklevel=3,
        )
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def security_from_environment(address: str) -> Security | None:
    """TLS credentials for an address: ``BASIN_TLS_CA``, ``_CERT`` and ``_KEY``, else Dask's config.

    They serve for every role, so that a script may start a scheduler or workers with them. None
    for tcp. Raises JobError where files are not named or missing.
    """
    from distributed.security import Security

    if not address.startswith("tls://"):
        return None
    files = {name: os.environ.get(name, "") for name in (TLS_CA, TLS_CERT, TLS_KEY)}
    if not any(files.values()):
        security: Any = Security(require_encryption=True)
        if not (security.tls_ca_file and security.tls_client_cert):
            raise JobError(
                f"{address} needs TLS credentials: set {TLS_CA}, {TLS_CERT} and {TLS_KEY} to the "
                "paths of PEM files (docs/cluster.md)."
            )
        return security
    for name, path in files.items():
        if not os.path.isfile(path):
            raise JobError(f"{name} is '{path}', which is not a file; a PEM file is needed.")
    ca, cert, key = files.values()
    roles = ("client", "scheduler", "worker")
    return Security(
        require_encryption=True,
        tls_ca_file=ca,
        **{f"tls_{role}_cert": cert for role in roles},
        **{f"tls_{role}_key": key for role in roles},
    )


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


def identity_of(address: str, timeout: float = 2.0) -> str | None:
    """What tells a scheduler from another one at the same address; None where it does not say.

    It does not answer, or this process lacks the credentials. Nothing that it sends is unpickled.
    """
    from distributed.core import rpc

    async def ask() -> str:
        security = security_from_environment(address)
        arguments = security.get_connection_args("client") if security is not None else {}
        async with rpc(
            address, connection_args=arguments, deserialize=False, timeout=timeout
        ) as scheduler:
            return str((await scheduler.identity(n_workers=0))["id"])

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            chosen_scheduler(address)
        # A thread of its own: notebooks have an event loop in theirs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, asyncio.wait_for(ask(), timeout)).result()
    except (OSError, TimeoutError, ValueError, KeyError, JobError):
        return None


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
