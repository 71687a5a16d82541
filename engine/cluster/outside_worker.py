"""Workers for a scheduler that runs elsewhere, started as Dask starts them."""

from __future__ import annotations

import os
import sys
from typing import Any

from engine.cluster.memory_settings import MALLOC_SETTINGS
from engine.foundation.errors import JobError
from engine.jobs.scheduler_address import chosen_scheduler, security_from_environment


def worker_command(scheduler: str | None, workers: int = 1, gpu: bool = False) -> list[str]:
    """The command line of ``dask worker`` that fits Basin's jobs: one task a process.

    Raises JobError where no scheduler is named, or it is refused, or credentials are missing.
    """
    address = chosen_scheduler(scheduler)
    if address is None:
        raise JobError("No scheduler is named; give --scheduler or set BASIN_SCHEDULER.")
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    command += ["--nthreads", "1", "--nworkers", str(workers), "--memory-limit", "0"]
    command += ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    command += ["--preload", "engine.cluster.preload"]
    if gpu:
        command += ["--resources", "GPU=1"]
    security: Any = security_from_environment(address)
    if security is not None:
        command += ["--tls-ca-file", security.tls_ca_file]
        command += ["--tls-cert", security.tls_worker_cert]
        command += ["--tls-key", security.tls_worker_key]
    return command


def serve_worker(scheduler: str | None, workers: int = 1, gpu: bool = False) -> None:
    """Become ``dask worker``; does not return. Raises as ``worker_command``."""
    command = worker_command(scheduler, workers, gpu)
    for name, value in MALLOC_SETTINGS.items():
        os.environ.setdefault(name, str(value))
    os.execv(command[0], command)
