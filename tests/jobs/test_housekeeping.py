"""Old job folders go, nothing else does; runs that nobody will train stop waiting."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from engine.jobs import Job, active_jobs, ensure_cluster, housekeeping, jobs, run_here
from engine.jobs.housekeeping import maintain, prune_jobs
from engine.jobs.run_list import end_orphaned_runs, list_runs
from engine.jobs.submit import create_job
from engine.runs import RunStore
from tests.support.clusters import PATIENCE, embedded, until

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def made_old(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    for file in path.iterdir():
        os.utime(file, (moment, moment))


def ended(store: RunStore, days: float) -> Job:
    job = run_here(store, "walk", {"steps": 1})
    made_old(job.path, days)
    return job


def names(store: RunStore) -> set[str]:
    return {job.id for job in jobs(store)}


def test_only_the_newest_stay_and_their_runs_are_untouched(store: RunStore) -> None:
    made = [ended(store, 5.0) for _ in range(5)]
    before = {p: p.read_bytes() for p in store.root.glob("[!.]*/**/*") if p.is_file()}
    assert prune_jobs(store, keep=2) == 3
    assert names(store) == {job.id for job in made[-2:]}
    assert {p: p.read_bytes() for p in store.root.glob("[!.]*/**/*") if p.is_file()} == before
    assert len(store.list()) == 5
    assert not list((store.root / ".jobs").glob(".old-*"))


def test_those_past_the_age_go_however_few(store: RunStore) -> None:
    old, young = ended(store, 40.0), ended(store, 20.0)
    assert prune_jobs(store, days=30) == 1
    assert names(store) == {young.id}
    assert not old.path.exists()


def test_what_ended_within_the_day_stays_whatever_the_limits(store: RunStore) -> None:
    job = ended(store, 0.5)
    assert prune_jobs(store, keep=0, days=0.0) == 0
    assert names(store) == {job.id}


def test_a_clock_set_back_deletes_nothing(store: RunStore) -> None:
    ended(store, -400.0)
    assert prune_jobs(store, keep=0, days=0.0) == 0


@pytest.mark.parametrize("kind", ["queued", "running", "damaged", "newer"])
def test_jobs_that_are_active_or_cannot_be_read_stay(store: RunStore, kind: str) -> None:
    job = create_job(store, "count", {}, [], gpu=False)
    record: dict[str, object] = {"schema_version": 1, "state": kind}
    if kind == "running":
        record["owner"] = json.loads((job.path / "request.json").read_text())["submitter"]
    texts = {"damaged": "{", "newer": '{"schema_version": 99, "state": "finished"}'}
    if kind != "queued":
        (job.path / "progress.json").write_text(texts.get(kind, json.dumps(record)))
    made_old(job.path, 400.0)
    assert prune_jobs(store, keep=0, days=0.0) == 0
    assert names(store) == {job.id}


def test_a_job_somebody_holds_stays(store: RunStore) -> None:
    from engine.runs.ownership import Ownership

    job = ended(store, 400.0)
    held = Ownership(job.path, "the job")
    held.acquire(None)
    made_old(job.path, 400.0)
    try:
        assert prune_jobs(store, keep=0) == 0
    finally:
        held.release()
    assert prune_jobs(store, keep=0) == 1


def test_the_newest_demonstration_keeps_its_jobs(store: RunStore) -> None:
    shown, other = ended(store, 400.0), ended(store, 400.0)
    folder = store.root / ".jobs" / ".groups"
    folder.mkdir()
    (folder / "g1.json").write_text('{"runs": [], "jobs": []}')
    (folder / "g1.trainings.json").write_text(json.dumps([shown.id]))
    assert prune_jobs(store, keep=0) == 1
    assert names(store) == {shown.id}
    assert not other.path.exists()


def test_what_a_round_left_half_deleted_is_swept_up(store: RunStore) -> None:
    left = store.root / ".jobs" / ".old-1234"
    left.mkdir(parents=True)
    (left / "log.txt").touch()
    prune_jobs(store)
    assert not left.exists()


def test_a_queued_run_without_a_job_is_ended_once_it_is_old(store: RunStore) -> None:
    orphan, fresh, awaited = (store.create({}, {}) for _ in range(3))
    create_job(store, "count", {}, [awaited.id], gpu=False)
    for run in (orphan, awaited):
        made_old(run.path, 1.0)
    assert end_orphaned_runs(store) == 1
    assert (orphan.state, fresh.state, awaited.state) == ("interrupted", "queued", "queued")
    assert "No job was submitted" in orphan.status.reason
    assert len(active_jobs(store)) == 1


def test_a_run_whose_maker_died_before_submitting_is_ended_wherever_runs_are_listed(
    store: RunStore,
) -> None:
    run = store.create({}, {})
    assert list_runs(store)["state"].tolist() == ["queued"]
    record = json.loads((run.path / "status.json").read_text())
    record["created_by"]["started"] = "1"
    (run.path / "status.json").write_text(json.dumps(record))
    assert list_runs(store)["state"].tolist() == ["interrupted"]


def test_a_run_whose_job_was_lost_is_ended_wherever_its_job_is_looked_at(store: RunStore) -> None:
    run = store.create({}, {})
    job = create_job(store, "count", {}, [run.id], gpu=False)
    request = json.loads((job.path / "request.json").read_text())
    request["submitter"]["started"] = "1"
    (job.path / "request.json").write_text(json.dumps(request))
    assert job.status().state == "interrupted"
    assert (run.state, run.status.reason) == ("interrupted", job.status().reason)


def test_a_round_never_raises(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> int:
        raise OSError("read-only")

    monkeypatch.setattr(housekeeping, "prune_jobs", fails)
    maintain(store)


def test_a_round_is_made_once_an_hour_at_most(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[RunStore] = []
    monkeypatch.setattr(housekeeping, "maintain", rounds.append)
    for _ in range(3):
        housekeeping.maintain_if_due(store)
    until(lambda: rounds)
    assert rounds == [store]


@pytest.mark.processes
def test_a_cluster_that_starts_keeps_house(tmp_path: Path) -> None:
    with embedded(tmp_path / "runs") as store:
        old, young = ended(store, 400.0), ended(store, 2.0)
        ensure_cluster(store, PATIENCE)
        until(lambda: not old.path.exists())
        assert young.path.exists()
