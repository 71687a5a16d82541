"""The workers of the embedded cluster: how many, with which threads and GPUs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from distributed import Nanny
from distributed.security import Security

from engine.cluster.memory_settings import MALLOC_SETTINGS

MAX_WORKERS = 8
"""Each worker loads torch; with more cores than this, every worker gets several threads."""


def plan_workers(workers: int | None) -> list[dict[str, Any]]:
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


def nanny(address: str, security: Security, worker: dict[str, Any]) -> Nanny:
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


def dask_config(threads: int) -> dict[str, Any]:
    """Dask's settings for the scheduler and the workers that this process starts."""
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
        **{
            f"distributed.nanny.pre-spawn-environ.{name}": value
            for name, value in {**dict.fromkeys(names, threads), **MALLOC_SETTINGS}.items()
        },
    }
