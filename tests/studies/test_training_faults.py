"""A real training that is stopped, damaged or out of space: resumed, it gives the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from engine.foundation.errors import RunError
from engine.jobs import Job, active_jobs, jobs, run_here
from engine.runs import Run, RunStore
from engine.studies.new_run import create_run
from engine.training import preset

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"
QUICK = {"epochs": 6, "batch_size": 256, "device": "cpu", "model.width": 8, "checkpoint_every": 2}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def made(store: RunStore) -> Run:
    return create_run(store, DATA, preset("mg", QUICK), "mg")


def trained(run: Run, watcher: Callable[[float, str], None] = lambda *_: None) -> Job:
    return run_here(RunStore(run.path.parent), "train", {"run": run.id}, watcher, run_ids=[run.id])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, int]:
    """A run that nothing happened to, and how often it told its progress."""
    told: list[str] = []
    run = made(RunStore(tmp_path_factory.mktemp("undisturbed")))
    trained(run, lambda _, message: told.append(message))
    assert run.state == "finished"
    return run, len(told)


def assert_same(run: Run, expected: Run) -> None:
    assert run.state == "finished"
    theirs = expected.weights()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in run.weights().items())
    for key in ("best_epoch", "valid", "test", "gradient_passes"):
        assert run.summary[key] == expected.summary[key]
    tables = [
        one.events("epoch").drop(columns=["time", "seconds"], errors="ignore")
        for one in (run, expected)
    ]
    pd.testing.assert_frame_equal(*tables, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("step", ["first", "middle", "last"])
def test_cancelled_at_any_step_it_resumes_to_the_same_numbers(
    store: RunStore, undisturbed: tuple[Run, int], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.jobs.reporter.CHECK_SECONDS", 0.0)
    whole, count = undisturbed
    run, told = made(store), [0]
    at = {"first": 1, "middle": count // 2, "last": count - 1}[step]

    def cancel(_share: float, _message: str) -> None:
        told[0] += 1
        if told[0] == at:
            active_jobs(store)[0].cancel()

    assert trained(run, cancel).status().state == "cancelled"
    assert (run.state, told[0]) == ("cancelled", at)
    assert not run.summary
    trained(run)
    assert_same(run, whole)


def interrupted(store: RunStore) -> Run:
    """A run stopped after its second checkpoint, as Ctrl-C does."""
    run = made(store)

    def stop(_share: float, message: str) -> None:
        if message.startswith("epoch 6"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(run, stop)
    assert run.state == "interrupted"
    return run


@pytest.mark.parametrize("damage", ["cut short", "lost", "edited"])
def test_a_damaged_checkpoint_costs_epochs_and_no_digit(
    store: RunStore, undisturbed: tuple[Run, int], damage: str
) -> None:
    run = interrupted(store)
    newest = max((run.path / "checkpoint").iterdir())
    tensors = newest / "tensors.safetensors"
    if damage == "cut short":
        os.truncate(tensors, tensors.stat().st_size // 2)
    elif damage == "lost":
        tensors.unlink()
    else:
        (newest / "values.json").write_text('{"schema_version": 1, "values": ')
    assert trained(run).status().state == "finished"
    assert_same(run, undisturbed[0])


def test_with_no_whole_checkpoint_the_run_fails_saying_what_to_delete(
    store: RunStore, undisturbed: tuple[Run, int]
) -> None:
    run = interrupted(store)
    for tensors in (run.path / "checkpoint").glob("*/tensors.safetensors"):
        os.truncate(tensors, 10)
    status = trained(run).status()
    assert (status.state, run.state) == ("failed", "failed")
    assert "Delete that folder to train from the start" in status.reason
    shutil.rmtree(run.path / "checkpoint")
    trained(run)
    assert_same(run, undisturbed[0])


def test_a_config_of_a_newer_basin_is_refused_and_left_as_it_was(store: RunStore) -> None:
    run = made(store)
    path = run.path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 9}))
    before = path.read_bytes()
    status = trained(run).status()
    assert status.state == "failed"
    assert "newer Basin" in status.reason
    assert path.read_bytes() == before
    assert store.list()["state"].tolist() == ["failed"]


def test_a_hand_edited_config_fails_naming_the_field(store: RunStore) -> None:
    run = made(store)
    path = run.path / "config.json"
    path.write_text(path.read_text().replace('"epochs": 6', '"epochs": -6'))
    status = trained(run).status()
    assert status.state == "failed"
    assert "epochs" in status.reason


SMALL_DISK = """
import sys
from pathlib import Path
from engine.jobs import run_here
from engine.runs import RunStore
from engine.runs.ownership import Owner
store = RunStore(sys.argv[1])
run = store.get(sys.argv[2])
filler = store.root.parent / "filler"

def fill(share, message):
    if message.startswith("epoch 4") and not filler.exists():
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

run_here(store, "train", {"run": run.id}, fill, run_ids=[run.id])
"""


@pytest.mark.processes
def test_a_disk_that_fills_up_in_training_loses_nothing_and_the_run_goes_on_later(
    tmp_path: Path, undisturbed: tuple[Run, int]
) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        store = RunStore(disk / "runs")
        run = made(store)
        command = [sys.executable, "-c", SMALL_DISK, str(store.root), run.id]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (disk / "filler").exists(), done.stderr
        (job,) = jobs(store)
        assert job.status().state in ("failed", "interrupted")  # the end may not fit either
        assert run.state in ("failed", "interrupted")
        if job.status().state == "failed":
            assert "could not be written: No space left on device" in job.status().reason
        assert not list(store.root.rglob("*.partial"))
        assert run.load_checkpoint() is not None
        assert not run.has_weights or run.weights()
        (disk / "filler").unlink()
        trained(run)
        assert_same(run, undisturbed[0])
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


READ_ONLY = """
import os, sys
from engine.foundation.errors import BasinError
from engine.jobs import submit, run_here, active_jobs
from engine.runs import RunStore
from engine.runs.ownership import Owner
store = RunStore(sys.argv[1])
store.list(), active_jobs(store), Owner.here()  # Python itself may lie where only root can read
os.setgid(65534); os.setuid(65534)  # root may write anywhere
for attempt in (submit, run_here):
    try:
        attempt(store, "train", {"run": sys.argv[2]})
    except BasinError as error:
        print(error)
print(len(store.list()), active_jobs(store))
"""


@pytest.mark.processes
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without rights")
def test_on_a_read_only_folder_work_is_refused_and_looking_still_works(
    tmp_path: Path, undisturbed: tuple[Run, int]
) -> None:
    above = [tmp_path, *tmp_path.parents[:2]]
    modes = {folder: folder.stat().st_mode for folder in above}
    root = shutil.copytree(undisturbed[0].path.parent, tmp_path / "runs")
    try:
        for folder in above:
            os.chmod(folder, modes[folder] | 0o055)
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            os.chmod(folder, 0o555)
        command = [sys.executable, "-c", READ_ONLY, str(root), undisturbed[0].id]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        for folder, mode in modes.items():
            os.chmod(folder, mode)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all("could not be written: Permission denied" in line for line in lines[:2])
    assert lines[2] == "1 []"


def test_a_clock_set_back_between_two_jobs_changes_neither_order_nor_state(
    store: RunStore, undisturbed: tuple[Run, int]
) -> None:
    run = interrupted(store)
    status = json.loads((run.path / "status.json").read_text())
    ahead = {key: value.replace("20", "21", 1) for key, value in status.items() if key in TIMES}
    (run.path / "status.json").write_text(json.dumps(status | ahead))  # the clock was ahead then
    trained(run)
    assert_same(run, undisturbed[0])
    assert run.status.seconds is None or run.status.seconds >= 0
    assert active_jobs(store) == []


TIMES = ("created", "started", "ended")


def test_a_run_being_trained_is_refused_to_a_second_training(store: RunStore) -> None:
    run = made(store)
    refused: list[str] = []

    def again(_share: float, message: str) -> None:
        if message.startswith("epoch 2") and not refused:
            with pytest.raises(RunError, match="already being worked on") as error, run.running():
                pass
            refused.append(str(error.value))
            refused.append(trained(run).status().reason)

    assert trained(run, again).status().state == "finished"
    assert all("already being worked on" in reason for reason in refused)
    assert len(refused) == 2
