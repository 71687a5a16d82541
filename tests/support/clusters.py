"""Tools of the job tests: both kinds of cluster as real processes, and waiting for things."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import Job
from engine.jobs.cluster_address import cluster_owner
from engine.runs import RunStore
from engine.runs.ownership import Owner

PATIENCE = 180.0
"""Seconds that anything may take on a busy machine; what is waited for usually takes a moment."""


def until(condition: Any, seconds: float = PATIENCE) -> Any:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.01)
    return value


def until_running(job: Job, step: int = 0) -> None:
    """Wait until a job has done so many steps of ``count`` or ``walk``."""

    def reached() -> bool:
        status = job.status()
        assert not status.is_over, status
        return status.state == "running" and status.message.startswith("step")

    until(reached)
    until(lambda: int(job.status().message.split()[-1]) >= step)


def take_worker(job: Job) -> None:
    """Kill the worker that does a job, and wait until that process is gone."""
    owner = Owner.from_record(json.loads((job.path / "progress.json").read_text())["owner"])
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not owner.exists)


def worker_of(job: Job) -> int:
    """The process id of the worker that does a job."""
    return int(json.loads((job.path / "progress.json").read_text())["owner"]["pid"])


def end_cluster(store: RunStore) -> None:
    """End the embedded cluster of a store, if there is one."""
    owner = cluster_owner(store.root)
    if owner is not None and owner.exists:
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGTERM)
        until(lambda: not owner.exists)


@contextmanager
def embedded(root: Path) -> Iterator[RunStore]:
    """A store whose embedded cluster is ended afterwards."""
    store = RunStore(root)
    try:
        yield store
    finally:
        end_cluster(store)


def write_credentials(folder: Path) -> dict[str, str]:
    """PEM files as a cluster's owner would make them, and the variables that name them."""
    from distributed.security import Security

    security: Any = Security.temporary()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cert.pem").write_text(security.tls_ca_file)
    (folder / "key.pem").write_text(security.tls_client_key)
    return {
        "BASIN_TLS_CA": str(folder / "cert.pem"),
        "BASIN_TLS_CERT": str(folder / "cert.pem"),
        "BASIN_TLS_KEY": str(folder / "key.pem"),
    }


def read_whole(path: Path) -> dict[str, Any]:
    """What a JSON file says; {} while somebody still writes it."""
    try:
        return dict(json.loads(path.read_text()))
    except ValueError:
        return {}


@contextmanager
def separate(root: Path) -> Iterator[RunStore]:
    """A store whose jobs go to a TLS scheduler and two workers, each a process of its own."""
    patch = pytest.MonkeyPatch()
    credentials = write_credentials(root / "tls")
    for name, value in credentials.items():
        patch.setenv(name, value)
    ca, cert, key = credentials.values()
    log = open(root / "processes.log", "wb")  # noqa: SIM115 - open while they run
    file = root / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--protocol", "tls"]
    command += ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file"]
    command += [str(file), "--dashboard-address", "127.0.0.1:0"]
    command += ["--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key]
    processes = [subprocess.Popen(command, stdout=log, stderr=log)]
    try:
        until(file.exists)
        known = until(lambda: read_whole(file))
        patch.setenv("BASIN_SCHEDULER", known["address"])
        command = [sys.executable, "-m", "engine.cluster", "worker", "--workers", "1"]
        processes += [subprocess.Popen(command, stdout=log, stderr=log) for _ in range(2)]
        yield RunStore(root / "runs")
    finally:
        for process in reversed(processes[1:]):
            process.terminate()
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()
        patch.undo()
