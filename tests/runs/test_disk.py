"""A disk that is full or read-only: a clear error, the old files whole, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runs import Run, RunStore

ATTEMPTS = """
import os, resource, sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
import numpy as np, torch
from engine.foundation.errors import RunError
from engine.foundation.result import Result
from engine.runs import Run, RunStore
from engine.training.recorder import Snapshot

@dataclass(frozen=True)
class Curve(Result):
    kind: ClassVar[str] = "curve"
    values: np.ndarray

path, fault = Path(sys.argv[1]), sys.argv[2]
run, store = Run(path), RunStore(path.parent)
big = {"w": torch.randn(200_000)}
text = {"note": "x" * 200_000}
if fault == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
elif fault == "read-only" and os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)  # root may write anywhere
attempts = {
    "weights": lambda: run.save_weights(big),
    "checkpoint": lambda: run.save_checkpoint(Snapshot(big, {})),
    "summary": lambda: run.save_summary(text),
    "labels": lambda: run.label(note="x" * 200_000),
    "event": lambda: run.event("epoch", text),
    "result": lambda: run.save_result(Curve(np.random.default_rng(0).random(100_000)), "k"),
    "create": lambda: store.create(text, {}),
    "export": lambda: store.export_zip([run.id], path / "out.zip"),
}
if fault == "read-only":
    attempts["delete"] = lambda: store.delete(run.id)
    attempts["running"] = lambda: run.running().__enter__()
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "wrote")
    except RunError as error:
        assert "could not be written: " in str(error) and str(path.parent) in str(error), error
        print(name, "refused")
"""


def fill(run: Run) -> None:
    import torch

    from engine.training.recorder import Snapshot

    run.event("epoch", {"epoch": 0, "loss": 1.0})
    run.save_weights({"w": torch.randn(30_000)})
    run.save_checkpoint(Snapshot({"w": torch.ones(3)}, {"epoch": 0}))
    run.save_summary({"best_epoch": 0})


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def attempt(run: Run, fault: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(run.path), fault],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ") for line in done.stdout.splitlines())


@pytest.mark.processes
def test_a_write_that_does_not_fit_changes_nothing(store: RunStore, run: Run) -> None:
    fill(run)
    before = contents(store.root)
    outcomes = attempt(run, "full")
    assert set(outcomes.values()) == {"refused"}, outcomes
    assert contents(store.root) == before
    assert run.events("epoch")["epoch"].tolist() == [0]
    assert run.load_checkpoint() is not None


@pytest.mark.processes
def test_a_read_only_folder_changes_nothing(store: RunStore, run: Run, tmp_path: Path) -> None:
    fill(run)
    before = contents(store.root)
    folders = [store.root, *(path for path in store.root.rglob("*") if path.is_dir())]
    above = [tmp_path, *tmp_path.parents[:2]]  # so that another user can get there at all
    modes = {path: path.stat().st_mode for path in [*folders, *above]}
    try:
        for folder in above:
            os.chmod(folder, modes[folder] | 0o055)
        for file in (path for path in store.root.rglob("*") if path.is_file()):
            os.chmod(file, 0o444)
        for folder in folders:
            os.chmod(folder, 0o555)
        outcomes = attempt(run, "read-only")
    finally:
        for folder, mode in modes.items():
            os.chmod(folder, mode)
    assert set(outcomes.values()) == {"refused"}, outcomes
    assert contents(store.root) == before


@pytest.mark.processes
def test_a_really_full_disk_changes_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    try:
        store = RunStore(disk)
        run = store.create({}, {})
        fill(run)
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1_000_000))
        before = contents(disk)
        outcomes = attempt(run, "none")
        assert outcomes.pop("event") in ("refused", "wrote")  # may fit in the file's last block
        assert set(outcomes.values()) == {"refused"}, outcomes
        after = contents(disk)
        assert {k: v for k, v in after.items() if "events" not in k} == {
            k: v for k, v in before.items() if "events" not in k
        }
        filler.unlink()
        with run.running():
            pass
        assert run.state == "finished"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
