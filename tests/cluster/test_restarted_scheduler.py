"""An outside scheduler that is killed and started again at the same address."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engine.jobs import Job, active_jobs, run_here, submit
from engine.jobs import why_stuck as waiting
from engine.jobs.scheduler_address import identity_of
from engine.runs import RunStore
from tests.support.clusters import PATIENCE, take_worker, until, until_running

pytestmark = pytest.mark.processes


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def scheduler(port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Dask scheduler on loopback, without workers: whatever it is given stays queued."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--protocol", "tcp"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    command += ["--dashboard-address", "127.0.0.1:0"]
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        address = f"tcp://127.0.0.1:{port}"
        until(lambda: identity_of(address) is not None)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def believed_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_identities", {})
    monkeypatch.setenv("BASIN_ALLOW_INSECURE", "1")  # a scheduler on loopback, without credentials


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def queued_on(store: RunStore, address: str) -> tuple[Job, str]:
    run = store.create({}, {})
    job = submit(store, "count", {}, [run.id], scheduler=address)
    assert job.status().state == "queued"
    return job, run.id


def test_a_job_queued_on_a_scheduler_that_was_started_anew_is_interrupted(
    store: RunStore, tmp_path: Path
) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with scheduler(port, tmp_path / "log"):
        job, run = queued_on(store, address)
        time.sleep(0.5)
        assert [waiting_job.id for waiting_job in active_jobs(store)] == [job.id]
    with scheduler(port, tmp_path / "log"):
        until(lambda: job.status().state == "interrupted")  # one too busy to answer is waited for
        assert f"{address} was started anew" in job.status().reason
        assert active_jobs(store) == []
        assert store.get(run).state == "interrupted"
        later, _ = queued_on(store, address)  # the new one takes jobs of its own
        assert later.status().state == "queued"


def test_a_job_queued_on_a_scheduler_that_only_paused_goes_on_waiting(
    store: RunStore, tmp_path: Path
) -> None:
    port = free_port()
    with scheduler(port, tmp_path / "log") as process:
        job, _ = queued_on(store, f"tcp://127.0.0.1:{port}")
        os.kill(process.pid, signal.SIGSTOP)
        try:
            # It takes connections and says nothing, so it cannot be told from a busy one.
            assert job.status().state == "queued"
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert job.status().state == "queued"


def test_a_submitter_killed_while_handing_over_leaves_no_job_queued_for_ever(
    store: RunStore, tmp_path: Path
) -> None:
    port = free_port()
    code = (
        "import os, sys; from engine.jobs import delivery, submit; "
        "from engine.runs import RunStore\n"
        "delivery.submit_options = lambda *_: os._exit(9)  # between the record and the handing\n"
        "submit(RunStore(sys.argv[1]), 'count', {}, scheduler=sys.argv[2])\n"
    )
    with scheduler(port, tmp_path / "log"):
        command = [sys.executable, "-c", code, str(store.root), f"tcp://127.0.0.1:{port}"]
        assert subprocess.run(command, check=False).returncode == 9
        (path,) = [p for p in (store.root / ".jobs").iterdir() if not p.name.startswith(".")]
        status = Job(path).status()
        assert status.state == "interrupted"
        assert "ended while handing it to" in status.reason


def test_nothing_is_asked_of_an_unencrypted_scheduler_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BASIN_ALLOW_INSECURE")
    assert identity_of("tcp://10.0.0.7:8786", timeout=0.1) is None


@contextmanager
def worker(address: str, log: Path) -> Iterator[None]:
    """One worker of a scheduler, gone afterwards with all that it started."""
    command = [sys.executable, "-m", "engine.cluster", "worker", "--scheduler", address]
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        for member in [*psutil.Process(process.pid).children(recursive=True), process]:
            member.kill()
        process.wait()


def test_a_training_outlives_a_killed_scheduler_and_goes_on_with_the_next(
    store: RunStore, tmp_path: Path
) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with scheduler(port, tmp_path / "log") as first, worker(address, tmp_path / "log"):
        job = submit(store, "walk", {"steps": 30, "stays_at": 10}, scheduler=address)
        until_running(job, 10)
        waiting_job, _ = queued_on(store, address)
        first.kill()
        until(lambda: waiting_job.status().state == "interrupted")
        assert job.status().state == "running"  # its process is still at work, and is not hidden
        take_worker(job)
        assert job.status().state == "interrupted"
    (run_id,) = job.status().run_ids
    assert store.get(run_id).state == "interrupted"
    with scheduler(port, tmp_path / "log"), worker(address, tmp_path / "log"):
        params = {"steps": 30, "run": run_id}
        again = submit(store, "walk", params, [run_id], scheduler=address)
        assert again.wait(PATIENCE).state == "finished"
    whole = run_here(store, "walk", {"steps": 30})
    expected = store.get(whole.result()["run"]).events("epoch")
    assert store.get(run_id).events("epoch")["loss"].tolist() == expected["loss"].tolist()
