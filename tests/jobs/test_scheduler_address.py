"""Which outside schedulers are accepted, and what a person is told about the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cluster.outside_worker import worker_command
from engine.foundation.errors import JobError
from engine.jobs import jobs, submit
from engine.jobs.scheduler_address import chosen_scheduler, security_from_environment
from engine.runs import RunStore
from tests.support.clusters import write_credentials


def test_an_encrypted_scheduler_is_accepted() -> None:
    assert chosen_scheduler("tls://gpu-1:8786") == "tls://gpu-1:8786"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:9"])
def test_an_unencrypted_one_on_this_machine_is_accepted_with_a_warning(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(RuntimeWarning, match="every user of this machine"):
        assert chosen_scheduler(address) == address
    monkeypatch.setenv("BASIN_ALLOW_INSECURE", "1")
    assert chosen_scheduler(address) == address


@pytest.mark.parametrize("address", ["tcp://10.0.0.7:8786", "tcp://gpu-1:8786", "tcp://0.0.0.0:1"])
def test_an_unencrypted_one_elsewhere_is_refused_unless_asked_for_by_name(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASIN_SCHEDULER", address)
    with pytest.raises(JobError, match="BASIN_ALLOW_INSECURE=1"):
        chosen_scheduler()
    monkeypatch.setenv("BASIN_ALLOW_INSECURE", "1")
    with pytest.warns(RuntimeWarning, match="not encrypted"):
        assert chosen_scheduler() == address


@pytest.mark.parametrize("address", ["gpu-1:8786", "ws://h:1", "tls://h", "tls://:1", "tcp://h:x"])
def test_an_address_that_is_not_understood_is_refused(address: str) -> None:
    with pytest.raises(JobError, match=r"tls://HOST:PORT or tcp://HOST:PORT is needed"):
        chosen_scheduler(address)


def test_none_means_the_embedded_cluster() -> None:
    assert chosen_scheduler() is None
    with pytest.raises(JobError, match="No scheduler is named"):
        worker_command(None)


def test_tls_needs_credentials_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError, match="set BASIN_TLS_CA, BASIN_TLS_CERT and BASIN_TLS_KEY"):
        security_from_environment("tls://gpu-1:8786")
    for name, value in write_credentials(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert security_from_environment("tls://gpu-1:8786") is not None
    command = worker_command("tls://gpu-1:8786", workers=2, gpu=True)
    assert command[command.index("--tls-key") + 1] == str(tmp_path / "key.pem")
    assert command[command.index("--resources") + 1] == "GPU=1"
    monkeypatch.setenv("BASIN_TLS_KEY", str(tmp_path / "lost.pem"))
    with pytest.raises(JobError, match=r"BASIN_TLS_KEY is '.*lost.pem', which is not a file"):
        security_from_environment("tls://gpu-1:8786")


def test_a_refused_scheduler_leaves_no_job(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create({}, {})
    with pytest.raises(JobError, match="not encrypted"):
        submit(store, "count", {}, [run.id], scheduler="tcp://10.0.0.7:8786")
    assert jobs(store) == []
    assert run.state == "failed"  # it waits for nothing any more
    assert "not encrypted" in run.status.reason


@pytest.mark.processes
def test_a_scheduler_that_does_not_answer_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.jobs.delivery.CONNECT_SECONDS", 1.0)
    monkeypatch.setenv("BASIN_ALLOW_INSECURE", "1")
    store = RunStore(tmp_path)
    run = store.create({}, {})
    with pytest.raises(JobError, match=r"tcp://127.0.0.1:1 cannot be used"):
        submit(store, "count", {}, [run.id], scheduler="tcp://127.0.0.1:1")
    (job,) = jobs(store)
    assert (job.status().state, run.state) == ("failed", "failed")
    assert "cannot be used" in job.status().reason
