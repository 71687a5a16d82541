"""A job without any cluster: run here, its records, its progress, and who is believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.foundation.errors import Cancelled, JobError
from engine.foundation.progress import silent
from engine.jobs import Job, active_jobs, jobs, reporter, run_here
from engine.jobs import why_stuck as waiting
from engine.jobs.perform import perform
from engine.jobs.reporter import Reporter
from engine.jobs.settle import settle_runs
from engine.jobs.submit import create_job, wants_gpu
from engine.runs import RunStore, ownership
from engine.runs.ownership import Owner


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def queued(store: RunStore) -> Job:
    """A job that was written and not yet handed to anybody."""
    return create_job(store, "count", {"steps": 2}, [], gpu=False)


def record(job: Job, **values: object) -> None:
    (job.path / "progress.json").write_text(json.dumps({"schema_version": 1, **values}))


def test_run_here_keeps_a_job_like_any_other(store: RunStore) -> None:
    told: list[str] = []
    job = run_here(store, "count", {"steps": 2}, lambda _, message: told.append(message))
    assert told == ["step 0", "step 1", "done"]
    assert job.result() == {"steps": 2, "pid": os.getpid()}
    assert [other.id for other in jobs(store)] == [job.id]
    assert active_jobs(store) == []


def test_the_watcher_of_run_here_can_stop_it(store: RunStore) -> None:
    def stop(_share: float, _message: str) -> None:
        raise Cancelled("enough")

    job = run_here(store, "walk", {"steps": 3}, stop)
    assert job.status().state == "cancelled"
    assert store.get(job.status().run_ids[0]).state == "cancelled"


def test_ctrl_c_leaves_an_interrupted_job_and_run(store: RunStore) -> None:
    def stop(_share: float, _message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(store, "walk", {"steps": 3}, stop)
    assert jobs(store)[0].status().state == "interrupted"
    assert store.list()["state"].tolist() == ["interrupted"]


def test_a_job_is_done_once(queued: Job) -> None:
    assert perform(str(queued.path)) == "finished"
    written = (queued.path / "result.json").stat().st_mtime_ns
    assert perform(str(queued.path)) == "finished"
    assert (queued.path / "result.json").stat().st_mtime_ns == written


def test_a_run_made_for_a_job_that_fails_first_shares_its_end(store: RunStore) -> None:
    run = store.create({}, {})
    job = run_here(store, "fail", {"how": "user"}, run_ids=[run.id])
    assert job.status().run_ids == (run.id,)
    assert (run.state, run.status.reason) == ("failed", "the file is empty; give another")


def test_progress_estimates_the_time_left_and_never_leaves_its_range(
    queued: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(reporter.time, "monotonic", lambda: clock[0])
    progress = Reporter(queued, silent)
    progress.start()
    for share, moment in ((0.5, 0.0), (0.6, 10.0), (0.75, 25.0)):
        clock[0] = moment
        progress(share, "step 1")
    assert json.loads((queued.path / "progress.json").read_text())["seconds_left"] == 25.0
    clock[0] = 30.0
    progress(7.0)
    assert json.loads((queued.path / "progress.json").read_text())["share"] == 1.0


def test_the_end_of_a_long_log_is_read_alone(queued: Job) -> None:
    assert queued.log(100) == ""
    lines = [f"step {n}\n" for n in range(1000)]
    (queued.path / "log.txt").write_text("".join(lines))
    assert queued.log() == "".join(lines)
    assert queued.log(100) == "".join(lines[-11:])
    assert queued.log(10**6) == queued.log()


def test_a_fast_loop_writes_seldom(queued: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Reporter(queued, silent)
    progress.start()
    writes: list[int] = []
    monkeypatch.setattr(progress, "_write", lambda: writes.append(1))
    for step in range(5000):
        progress(step / 5000, "step")
    assert len(writes) < 20


def test_a_job_whose_submitter_died_before_handing_it_over_is_interrupted(queued: Job) -> None:
    assert queued.status().state == "queued"
    path = queued.path / "request.json"
    request = json.loads(path.read_text())
    request["submitter"]["started"] = "1"
    path.write_text(json.dumps(request))
    assert queued.status().state == "interrupted"
    assert "No cluster took it" in queued.status().reason


def test_a_run_whose_job_was_cancelled_before_it_started_reads_cancelled(store: RunStore) -> None:
    run = store.create({}, {})
    job = create_job(store, "count", {}, [run.id], gpu=False)
    assert [waiting.id for waiting in active_jobs(store)] == [job.id]
    assert run.state == "queued"
    job.cancel()
    assert active_jobs(store) == []
    assert (run.state, run.status.reason) == ("cancelled", "Cancelled before it started.")


def test_a_job_queued_on_a_scheduler_that_is_gone_is_interrupted(queued: Job) -> None:
    delivery = {"schema_version": 1, "scheduler": "tcp://127.0.0.1:1"}
    (queued.path / "delivery.json").write_text(json.dumps(delivery))
    waiting._probed.clear()
    assert queued.status().state == "interrupted"
    assert "does not answer" in queued.status().reason


def test_a_job_on_another_machine_is_interrupted_once_its_heartbeat_stands_still(
    queued: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(ownership.time, "monotonic", lambda: clock[0])
    far = replace(Owner.here(), host="far", machine="another kernel")
    record(queued, state="running", owner=far.as_record())
    for beat in range(3):
        (queued.path / "heartbeat").write_text(str(beat).rjust(20))
        assert queued.status().state == "running"
        clock[0] += 50.0
    clock[0] += 50.0
    assert queued.status().state == "interrupted"


def test_a_hand_edited_job_is_named_and_does_not_hide_the_others(
    store: RunStore, queued: Job
) -> None:
    other = create_job(store, "count", {}, [], gpu=False)
    (queued.path / "progress.json").write_text("{")
    with pytest.raises(JobError, match=r"progress.json is not valid JSON"):
        queued.status()
    record(queued, state="done")
    with pytest.raises(JobError, match="state is 'done'; allowed are"):
        queued.status()
    assert [job.id for job in active_jobs(store)] == [other.id]


@pytest.mark.parametrize("name", ["request.json", "progress.json", "delivery.json"])
def test_a_newer_record_is_refused_and_left_alone(queued: Job, name: str) -> None:
    path = queued.path / name
    path.write_text('{"schema_version": 2, "state": "queued"}')
    with pytest.raises(JobError, match="newer Basin"):
        queued.status()
    assert path.read_text() == '{"schema_version": 2, "state": "queued"}'


def test_a_folder_that_is_no_job_is_refused(store: RunStore) -> None:
    with pytest.raises(JobError, match="no job 'x'"):
        Job(store.root / ".jobs" / "x")


def test_waiting_longer_than_allowed_says_so(queued: Job) -> None:
    with pytest.raises(JobError, match=r"still queued after 0.05 s"):
        queued.wait(0.05, poll=0.01)


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({}, False),
        ({"device": "cpu"}, False),
        ({"device": "auto"}, True),
        ({"config": {"device": "cuda"}}, True),
        ({"configs": [{"device": "cpu"}, {"device": "auto"}]}, True),
    ],
)
def test_params_tell_whether_a_gpu_is_wanted(params: dict[str, object], wanted: bool) -> None:
    assert wants_gpu(params) is wanted


FULL_DISK = """
import resource, sys
from engine.foundation.errors import JobError
from engine.jobs import run_here
from engine.runs import RunStore
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    job = run_here(RunStore(sys.argv[1]), "walk", {"steps": 200})
    print(job.status().state, job.status().reason)
except JobError as error:
    print("refused", error)
"""


@pytest.mark.processes
@pytest.mark.parametrize(("limit", "state"), [(10, "refused"), (6000, "failed")])
def test_a_disk_that_fills_up_ends_the_job_with_the_reason(
    store: RunStore, limit: int, state: str
) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(store.root), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(state), done
    assert "could not be written: File too large" in done.stdout
    assert not list(store.root.rglob("*.partial"))
    if state == "failed":
        (run_id,) = jobs(store)[0].status().run_ids
        run = store.get(run_id)
        assert run.state == "failed"
        assert run.load_checkpoint() is not None
        assert len(run.events("epoch")) > 10
    else:
        assert jobs(store) == []


def test_a_run_queued_again_is_not_ended_with_the_job_before(store: RunStore) -> None:
    run = store.create({}, {"seed": 0})
    before = run_here(store, "fail", {}, run_ids=[run.id])
    again = create_job(store, "count", {}, [run.id], gpu=False)
    run.queue(again.id)
    settle_runs(before.path, "failed", "no luck")
    assert run.state == "queued"
    settle_runs(again.path, "cancelled", "stopped")
    assert run.state == "cancelled"


def test_a_run_taken_up_again_after_a_forced_stop_keeps_its_own_end(
    store: RunStore, queued: Job
) -> None:
    job, run = queued, store.create({}, {"seed": 0})
    gone = Owner(2**22 + 1, "here", Owner.here().machine, "1")
    other = Owner(2**22 + 2, "here", Owner.here().machine, "1")
    (job.path / "cancel").touch()
    record(job, state="running", owner=gone.as_record(), run_ids=[run.id])
    run._write_status("running", owner=other.as_record())
    settle_runs(job.path, "cancelled", "stopped")
    assert run.state == "interrupted"
    run._write_status("running", owner=gone.as_record())
    settle_runs(job.path, "cancelled", "stopped")
    assert (run.state, run.status.reason) == ("cancelled", "stopped")
