"""A worker in which an import broke ends and is replaced; what waited for it is done elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import submit
from engine.runs import RunStore
from engine.studies.new_run import create_run
from engine.training import preset
from tests.support.clusters import PATIENCE, embedded

pytestmark = pytest.mark.processes

DATA = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
QUICK = {"epochs": 2, "batch_size": 128, "device": "cpu", "model.width": 4}

# What CPython 3.11 was seen to raise while torch was imported beside another thread.
BREAKS_AHEAD = """
import ast, threading
parse, failed = ast.parse, []
def broken(*arguments, **options):
    if threading.current_thread().name == "basin-preload" and not failed:
        failed.append(1)
        raise SystemError("AST constructor recursion depth mismatch")
    return parse(*arguments, **options)
ast.parse = broken
"""

TASK = """
import os

def work(store, params, progress):
    import breaks
    progress(1.0, "done")
    return {"pid": os.getpid()}
"""

BREAKS = """
import os, pathlib
with open(os.environ["ATTEMPTS"], "a") as attempts:
    attempts.write(f"{os.getpid()}\\n")
if len(pathlib.Path(os.environ["ATTEMPTS"]).read_text().split()) <= int(os.environ["BREAKS"]):
    raise SystemError("half a package")
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """A store whose cluster's processes import from ``tmp_path`` first."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with embedded(tmp_path / "runs") as store:
        yield store


def test_all_trainings_finish_where_importing_ahead_breaks(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS_AHEAD)
    runs = [create_run(store, DATA, preset("plain", QUICK | {"seed": s})) for s in range(4)]
    jobs = [submit(store, "train", {"run": run.id}, [run.id]) for run in runs]
    ends = [job.wait(PATIENCE) for job in jobs]
    assert [(end.state, end.reason) for end in ends] == [("finished", "")] * 4
    assert {run.state for run in runs} == {"finished"}
    assert "AST constructor" in (store.root / ".cluster" / "cluster.log").read_text()


@pytest.mark.parametrize("breaks", [1, 2])
def test_a_job_that_breaks_an_import_is_left_to_another_worker_once(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    (tmp_path / "breaking_task.py").write_text(TASK)
    (tmp_path / "breaks.py").write_text(BREAKS)
    monkeypatch.setenv("ATTEMPTS", str(tmp_path / "attempts"))
    monkeypatch.setenv("BREAKS", str(breaks))
    monkeypatch.setenv("BASIN_EXTRA_TASKS", "breaking=breaking_task:work,count=sample_tasks:count")
    job = submit(store, "breaking", {})
    end = job.wait(PATIENCE)
    attempts = (tmp_path / "attempts").read_text().split()
    assert len(attempts) == len(set(attempts)) == 2
    if breaks == 1:
        assert end.state == "finished"
    else:
        assert (end.state, end.reason) == ("failed", "SystemError: half a package")
    assert submit(store, "count", {}).wait(PATIENCE).state == "finished"
