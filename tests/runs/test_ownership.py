"""Never "running" for ever, and never two owners: processes that die, machines far away, clocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.foundation.errors import RunError
from engine.runs import Run, RunStore, ownership, status
from engine.runs.ownership import STALE_SECONDS, Owner, is_alive

WORK = """
import sys, time
from pathlib import Path
from engine.runs import Run
with Run(Path(sys.argv[1])).running() as run:
    print("running", flush=True)
    while True:
        run.event("epoch", {"epoch": 0})
        time.sleep(0.01)
"""


@contextmanager
def another_process(run: Run) -> Iterator[subprocess.Popen[str]]:
    """A process that works on the run until it is killed."""
    command = [sys.executable, "-c", WORK, str(run.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.processes
def test_a_killed_process_leaves_an_interrupted_run_that_can_go_on(
    store: RunStore, run: Run
) -> None:
    with another_process(run) as process:
        assert run.state == "running"
        assert store.list()["state"].tolist() == ["running"]
        process.kill()  # not waited for: a zombie is as dead
        deadline = time.monotonic() + 60
        while run.state == "running" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert run.state == "interrupted"
        assert run.status.reason == f"Its process {process.pid} on {os.uname().nodename} is gone."
        assert store.list()["state"].tolist() == ["interrupted"]
    with run.running():
        run.load_checkpoint()
        run.event("epoch", {"epoch": 1})
    assert run.state == "finished"
    assert run.events("epoch")["epoch"].tolist() == [1]


@pytest.mark.processes
def test_the_same_run_started_in_two_processes_is_refused_in_the_second(run: Run) -> None:
    with another_process(run) as process:
        message = f"already being worked on by process {process.pid} "
        with pytest.raises(RunError, match=message), run.running():
            pass
        assert run.state == "running"


@pytest.mark.processes
def test_two_processes_on_one_folder_lose_no_run(store: RunStore) -> None:
    code = (
        "import sys; from engine.runs import RunStore\n"
        "store = RunStore(sys.argv[1])\n"
        "for n in range(40):\n"
        "    store.create({'n': n}, {}).label(star=True)\n"
        "    store.list()\n"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    while any(process.poll() is None for process in processes):
        store.list()
    assert [process.returncode for process in processes] == [0, 0]
    table = store.list()
    assert len(table) == 80
    assert table["star"].all()
    assert not list(store.root.glob(".*.partial"))


def far_away(run: Run) -> Owner:
    """Record an owner on another machine, with a heartbeat."""
    owner = replace(Owner.here(), host="far", machine="another kernel")
    record = {"schema_version": 1, "state": "running", "owner": owner.as_record()}
    (run.path / "status.json").write_text(json.dumps(record))
    beat(run.path, 1)
    return owner


def beat(folder: Path, count: int) -> None:
    (folder / "heartbeat").write_text(str(count).rjust(20))


class Clock:
    """A monotonic clock that tests move by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(ownership.time, "monotonic", lambda: self.now)


def test_an_owner_elsewhere_is_alive_while_its_heartbeat_moves(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    far_away(run)
    for count in range(3):
        beat(run.path, count)
        assert run.state == "running"
        clock.now += STALE_SECONDS * 0.9
    clock.now += STALE_SECONDS
    assert run.state == "interrupted"


def test_a_heartbeat_long_past_is_dead_at_first_sight(run: Run) -> None:
    far_away(run)
    old = time.time() - 2 * STALE_SECONDS
    os.utime(run.path / "heartbeat", (old, old))
    assert run.state == "interrupted"


@pytest.mark.parametrize("hours", [-48, 48])
def test_a_clock_set_back_or_forward_never_decides_for_long(
    run: Run, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    clock = Clock(monkeypatch)
    owner = far_away(run)
    moment = time.time() + hours * 3600
    monkeypatch.setattr(ownership.time, "time", lambda: moment)
    is_alive(owner, run.path)
    beat(run.path, 2)
    assert run.state == "running"
    clock.now += 2 * STALE_SECONDS
    assert run.state == "interrupted"


def test_a_clock_set_back_while_it_runs_gives_no_negative_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run.running():
        monkeypatch.setattr(status, "now", lambda: "2001-01-01T00:00:00.000+00:00")
        assert run.state == "running"
        assert run.status.seconds is None
    assert run.state == "finished"


def test_a_reused_process_id_is_not_the_owner(run: Run) -> None:
    impostor = replace(Owner.here(), started="12345")
    record = {"schema_version": 1, "state": "running", "owner": impostor.as_record()}
    (run.path / "status.json").write_text(json.dumps(record))
    assert run.state == "interrupted"


def test_a_living_owner_elsewhere_keeps_others_out(run: Run) -> None:
    far_away(run)
    with pytest.raises(RunError, match=r"by process .* on far"), run.running():
        pass
    assert run.state == "running"


def test_a_run_without_owner_is_not_running(run: Run) -> None:
    (run.path / "status.json").write_text('{"schema_version": 1, "state": "running", "owner": 3}')
    assert run.state == "interrupted"


def test_a_released_folder_is_not_worked_on_even_if_its_status_could_not_be_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError), run.running():
        monkeypatch.setattr(Run, "end", _disk_full)
        raise RunError("no space")
    assert json.loads((run.path / "status.json").read_text())["state"] == "running"
    assert run.state == "interrupted"


def _disk_full(*_: object) -> None:
    raise RunError("no space")
