"""The embedded cluster: one a folder, nobody else in, gone when idle, replaced when killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from engine.foundation.errors import JobError
from engine.jobs import active_jobs, ensure_cluster, find_cluster, submit
from engine.jobs.cluster_address import cluster_is_alive, cluster_owner, wake_cluster
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.studies.sweeps import Sweep
from engine.training.sweep_plan import SweepConfig
from tests.support.clusters import PATIENCE, embedded, end_cluster, until, until_running, worker_of

pytestmark = pytest.mark.processes

WAIT = PATIENCE


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    with embedded(tmp_path_factory.mktemp("embedded")) as made:
        ensure_cluster(made, PATIENCE)
        yield made


def clusters_of(store: RunStore) -> list[int]:
    """Processes that are a cluster of this store."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "cluster" in command and str(store.root) in command:
            found.append(process.pid)
    return found


def test_the_credentials_can_be_read_by_this_user_only(store: RunStore) -> None:
    folder = store.root / ".cluster"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "address.json").stat().st_mode) == 0o600
    assert "PRIVATE KEY" in (folder / "address.json").read_text()
    assert "PRIVATE KEY" not in repr(find_cluster(store.root))


def test_it_listens_on_loopback_only(store: RunStore) -> None:
    submit(store, "count", {}).wait(WAIT)
    owner = cluster_owner(store.root)
    assert owner is not None
    process = psutil.Process(owner.pid)
    family = [process, *process.children(recursive=True)]
    listening = []
    for member in family:
        with suppress(psutil.NoSuchProcess):  # gone since the family was listed
            listening += [
                connection.laddr.ip
                for connection in member.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_a_client_with_the_credentials_comes_in(store: RunStore) -> None:
    from distributed import Client

    cluster = ensure_cluster(store)
    assert cluster.address.startswith("tls://127.0.0.1:")
    with Client(cluster.address, security=cluster.security(), set_as_default=False) as client:
        assert client.submit(abs, -3).result(timeout=WAIT) == 3


@pytest.mark.parametrize("intruder", ["unencrypted", "other credentials", "no certificate"])
def test_a_client_without_the_credentials_is_refused(
    store: RunStore, intruder: str, tmp_path: Path
) -> None:
    from distributed import Client
    from distributed.security import Security

    address = ensure_cluster(store).address
    security = None
    if intruder == "unencrypted":
        address = address.replace("tls://", "tcp://")
    elif intruder == "other credentials":
        security = Security.temporary()
    else:
        _shake_hands_without_certificate(address)
        return
    with pytest.raises(OSError):  # noqa: PT011 - a timeout or a TLS error, all OSErrors
        Client(address, security=security, timeout=1.5, set_as_default=False)
    assert submit(store, "count", {"trace": str(tmp_path / "t")}).wait(WAIT).state == "finished"


def _shake_hands_without_certificate(address: str) -> None:
    import ssl

    host, port = address.removeprefix("tls://").split(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    answer = b""
    with (
        suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((host, int(port)), timeout=60) as raw,
        context.wrap_socket(raw) as encrypted,
    ):
        encrypted.sendall(b"x" * 64)  # TLS 1.3 tells of the refusal with the first answer
        answer = encrypted.recv(64)
    assert answer == b""


def test_two_pages_on_one_folder_share_it(store: RunStore) -> None:
    code = (
        "import sys; from engine.jobs import submit; from engine.runs import RunStore\n"
        "for _ in range(5): print(submit(RunStore(sys.argv[1]), 'count', {}).wait(180).state)\n"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    pages = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [page.communicate()[0].split() for page in pages]
    assert outputs == [["finished"] * 5] * 2
    assert len(clusters_of(store)) == 1


def test_a_job_that_does_not_listen_loses_its_worker(store: RunStore) -> None:
    job = submit(store, "deaf", {"seconds": 120})
    until_running(job)
    job.cancel()
    status = job.wait(WAIT)
    assert status.state == "cancelled"
    assert submit(store, "count", {}).wait(WAIT).state == "finished"
    assert active_jobs(store) == []
    (run_id,) = status.run_ids
    until(lambda: store.get(run_id).state == "cancelled")  # nobody who stops it reads that it broke


def test_a_killed_scheduler_interrupts_all_and_the_next_submit_starts_another(
    tmp_path: Path,
) -> None:
    with embedded(tmp_path / "runs") as store:
        running = submit(store, "walk", {"steps": 6, "stays_at": 4})
        others = [submit(store, "count", {"steps": 4000, "seconds": 0.05}) for _ in range(3)]
        until_running(running, 4)
        owner = cluster_owner(store.root)
        assert owner is not None
        worker = Owner.of(worker_of(running))
        os.kill(owner.pid, signal.SIGKILL)
        until(lambda: running.status().state == "interrupted")
        until(lambda: {job.status().state for job in others} == {"interrupted"})
        (run_id,) = running.status().run_ids
        assert store.get(run_id).state == "interrupted"
        assert not worker.exists
        assert find_cluster(store.root) is None
        again = submit(store, "walk", {"steps": 6, "run": run_id}, run_ids=[run_id])
        assert again.wait(WAIT).state == "finished"
        assert store.get(run_id).state == "finished"
        assert cluster_owner(store.root) != owner
        assert {job.status().state for job in others} == {"interrupted"}


def test_a_sweep_whose_cluster_is_killed_is_not_waited_for_and_goes_on_later(
    tmp_path: Path,
) -> None:
    settings = {"epochs": 2, "batch_size": 128, "device": "cpu", "model.width": 4}
    data = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
    with embedded(tmp_path / "runs") as store:
        busy = [submit(store, "count", {"steps": 4000, "seconds": 0.05}) for _ in range(2)]
        for job in busy:
            until_running(job)
        sweep = Sweep.start(store, "s", data, SweepConfig(settings=settings, n_seeds=6))
        assert sweep.run_missing() == 6
        owner = cluster_owner(store.root)
        assert owner is not None
        os.kill(owner.pid, signal.SIGKILL)
        sweep.wait()
        assert set(sweep.table()["state"]) == {"interrupted"}
        assert sweep.run_missing() == 6
        sweep.wait()
        assert set(sweep.table()["state"]) == {"finished"}


def test_of_many_starters_one_stays(tmp_path: Path) -> None:
    code = (
        "import sys; from engine.jobs import submit; from engine.runs import RunStore\n"
        "print(submit(RunStore(sys.argv[1]), 'count', {}).wait(180).state)\n"
    )
    with embedded(tmp_path / "runs") as store:
        command = [sys.executable, "-c", code, str(store.root)]
        pages = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        assert [page.communicate()[0].strip() for page in pages] == ["finished"] * 4
        until(lambda: len(clusters_of(store)) == 1)


def test_it_ends_when_idle_and_a_stale_address_is_replaced(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    command = [sys.executable, "-m", "engine.cluster", "cluster", "--runs", str(store.root)]
    command += ["--idle", "1", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = store.root / ".cluster" / "address.json"
    stale = until(lambda: address.exists() and address.read_text())
    assert json.loads(stale)["address"].startswith("tls://")
    assert process.wait(PATIENCE) == 0
    assert not address.exists()
    assert not cluster_is_alive(store.root)
    address.write_text(stale)  # as after a power cut
    assert find_cluster(store.root) is None
    try:
        assert ensure_cluster(store, PATIENCE).address != json.loads(stale)["address"]
    finally:
        end_cluster(store)


def test_a_cluster_that_cannot_start_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASIN_WORKERS", "many")
    store = RunStore(tmp_path / "runs")
    with pytest.raises(JobError, match=r"cluster\.log tells why"):
        ensure_cluster(store, PATIENCE)
    job = submit(store, "count", {})
    status = job.wait(WAIT)
    assert status.state == "interrupted"
    assert "cluster.log" in status.reason


def test_waking_it_twice_gives_the_same_process(store: RunStore) -> None:
    assert wake_cluster(store) == wake_cluster(store) == cluster_owner(store.root)
    assert len(clusters_of(store)) == 1


def test_submitting_waits_for_no_answer_of_the_cluster(store: RunStore) -> None:
    owner = cluster_owner(store.root)
    assert owner is not None
    os.kill(owner.pid, signal.SIGSTOP)
    try:
        job = submit(store, "count", {})
        assert job.status().state == "queued"
    finally:
        os.kill(owner.pid, signal.SIGCONT)
    assert job.wait(WAIT).state == "finished"
