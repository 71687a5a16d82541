"""What every cluster must do, embedded or not: finish, fail, cancel, survive and lose nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import torch

from engine.cluster.memory_settings import MALLOC_SETTINGS
from engine.foundation.errors import Cancelled, JobError
from engine.jobs import Job, active_for, active_jobs, find_job, jobs, submit
from engine.runs import RunStore
from tests.support.clusters import PATIENCE, take_worker, until, until_running, worker_of

pytestmark = pytest.mark.processes

WAIT = PATIENCE


def test_a_job_finishes_with_its_result_and_log(store: RunStore) -> None:
    told: list[tuple[float, str]] = []
    job = submit(store, "count", {"steps": 3, "seconds": 0.2})
    status = job.wait(WAIT, lambda share, message: told.append((share, message)))
    assert (status.state, status.share, status.reason) == ("finished", 1.0, "")
    assert told[-1] == (1.0, "done")
    assert job.result()["steps"] == 3
    assert "finished." in job.log()
    assert find_job(store, job.id).status() == status
    assert job.id in {other.id for other in jobs(store)}


def test_a_task_of_the_user_fails_with_its_message(store: RunStore) -> None:
    job = submit(store, "fail", {"how": "user"})
    assert job.wait(WAIT).reason == "the file is empty; give another"
    assert job.status().state == "failed"
    with pytest.raises(JobError, match="the file is empty"):
        job.result()


def test_any_other_error_is_one_line_and_its_traceback_is_in_the_log(store: RunStore) -> None:
    job = submit(store, "fail", {})
    assert job.wait(WAIT).reason == "ZeroDivisionError: division by zero"
    assert "Traceback" in job.log()
    assert "Traceback" not in (job.path / "progress.json").read_text()


def test_a_result_that_is_not_data_fails(store: RunStore) -> None:
    job = submit(store, "unserialisable", {})
    assert job.wait(WAIT).reason == "TypeError: object has no JSON form"


def test_more_jobs_than_workers_all_finish(store: RunStore) -> None:
    many = [submit(store, "count", {"steps": 1, "seconds": 0.02}) for _ in range(8)]
    assert {job.wait(WAIT).state for job in many} == {"finished"}
    assert active_jobs(store) == []


@pytest.mark.parametrize("step", [0, 5])
def test_cancel_at_the_first_and_a_middle_step_is_real_within_a_second(
    store: RunStore, step: int
) -> None:
    pause = 0.05
    job = submit(store, "walk", {"steps": 4000, "seconds": pause})
    until_running(job, step)
    job.cancel()
    asked = time.time()
    assert job.wait(WAIT).state == "cancelled"
    with pytest.raises(Cancelled):
        job.result()
    (run_id,) = job.status().run_ids
    run = store.get(run_id)
    assert run.state == "cancelled"
    assert not run.has_weights
    events = run.events("epoch")
    assert events["epoch"].tolist() == list(range(len(events)))
    late = pd.to_datetime(events["time"]) > datetime.fromtimestamp(asked, UTC)
    assert late.sum() * pause < 1.0  # what it did after that took less than a second by itself


def test_cancel_at_the_last_step_still_counts(store: RunStore, tmp_path: Path) -> None:
    job = submit(store, "count", {"steps": 1, "gate": str(tmp_path / "gate")})
    until_running(job)
    job.cancel()
    (tmp_path / "gate").touch()
    assert job.wait(WAIT).state == "cancelled"


def test_cancel_before_it_starts_never_starts_it(store: RunStore, tmp_path: Path) -> None:
    busy = [submit(store, "count", {"steps": 4000, "seconds": 0.1}) for _ in range(2)]
    for job in busy:
        until_running(job)
    waiting = submit(store, "count", {"trace": str(tmp_path / "trace")})
    waiting.cancel()
    assert waiting.status().state == "cancelled"
    for job in busy:
        job.cancel()
        job.wait(WAIT)
    submit(store, "count", {}).wait(WAIT)
    assert waiting.status().state == "cancelled"
    assert not (tmp_path / "trace").exists()


def test_cancel_after_the_end_changes_nothing(store: RunStore) -> None:
    job = submit(store, "count", {})
    job.wait(WAIT)
    job.cancel()
    assert job.status().state == "finished"
    assert job.result()["steps"] == 3


def test_any_process_reattaches_to_a_running_job(store: RunStore) -> None:
    job = submit(store, "walk", {"steps": 4000, "seconds": 0.05})
    until_running(job, 2)
    code = (
        "import sys; from engine.jobs import active_jobs; from engine.runs import RunStore\n"
        "(job,) = active_jobs(RunStore(sys.argv[1]))\n"
        "print(job.status().state, *job.status().run_ids)\n"
        "job.cancel(); print(job.wait(120).state)"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (run_id,) = job.status().run_ids
    assert done.stdout.split() == ["running", run_id, "cancelled"]
    assert job.status().state == "cancelled"


def test_a_run_knows_the_job_that_works_on_it(store: RunStore) -> None:
    job = submit(store, "walk", {"steps": 4000, "seconds": 0.05})
    until_running(job)
    (run_id,) = job.status().run_ids
    found = active_for(store, run_id)
    assert found is not None
    assert found.id == job.id
    job.cancel()
    job.wait(WAIT)
    assert active_for(store, run_id) is None


def test_work_goes_on_when_the_submitting_process_is_killed(store: RunStore) -> None:
    code = (
        "import sys, time; from engine.jobs import submit; from engine.runs import RunStore\n"
        "job = submit(RunStore(sys.argv[1]), 'count', {'steps': 20, 'seconds': 0.05})\n"
        "print(job.id, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    job = find_job(store, process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()
    assert job.wait(WAIT).state == "finished"


def test_a_killed_worker_interrupts_its_job_which_is_not_run_again(
    store: RunStore, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    job = submit(store, "count", {"steps": 4000, "seconds": 0.05, "trace": str(trace)})
    until_running(job, 3)
    take_worker(job)
    assert job.status().state == "interrupted"  # at once: nobody has to notice first
    later = submit(store, "count", {})  # the worker is started again
    assert later.wait(WAIT).state == "finished"
    until(lambda: '"interrupted"' in (job.path / "progress.json").read_text())
    steps = trace.read_text().split()
    assert steps == [str(n) for n in range(len(steps))]
    assert len(steps) < 4000


def test_jobs_that_wait_outlive_a_killed_worker(store: RunStore) -> None:
    busy = [submit(store, "count", {"steps": 4000, "seconds": 0.05}) for _ in range(2)]
    for job in busy:
        until_running(job)
    waiting = [submit(store, "count", {}) for _ in range(4)]
    take_worker(busy[0])
    assert {job.wait(WAIT).state for job in waiting} == {"finished"}
    busy[1].cancel()
    assert [job.wait(WAIT).state for job in busy] == ["interrupted", "cancelled"]


def test_an_interrupted_run_resumes_to_the_same_numbers(store: RunStore) -> None:
    whole = submit(store, "walk", {"steps": 30})
    broken = submit(store, "walk", {"steps": 30, "stays_at": 10})
    until_running(broken, 10)
    take_worker(broken)
    assert broken.wait(WAIT).state == "interrupted"
    (run_id,) = broken.status().run_ids
    run = store.get(run_id)
    assert run.state == "interrupted"
    again = submit(store, "walk", {"steps": 30, "run": run_id}, run_ids=[run_id])
    assert again.wait(WAIT).state == "finished"
    assert whole.wait(WAIT).state == "finished"
    expected = store.get(whole.result()["run"])
    assert run.state == "finished"
    assert torch.equal(run.weights()["position"], expected.weights()["position"])
    assert run.events("epoch")["loss"].tolist() == expected.events("epoch")["loss"].tolist()
    assert run.events("epoch")["epoch"].tolist() == list(range(30))


def test_the_same_run_asked_for_twice_is_refused_the_second_time(store: RunStore) -> None:
    first = submit(store, "walk", {"steps": 4000, "seconds": 0.05})
    until_running(first, 1)
    (run_id,) = first.status().run_ids
    second = submit(store, "walk", {"steps": 100, "run": run_id}, run_ids=[run_id])
    assert second.wait(WAIT).state == "failed"
    assert "already being worked on by process" in second.status().reason
    assert first.status().state == "running"
    first.cancel()
    first.wait(WAIT)


def test_a_task_that_ends_its_process_is_interrupted(store: RunStore) -> None:
    job = submit(store, "fail", {"how": "exit"})
    assert job.wait(WAIT).state == "interrupted"


def test_a_worker_computes_with_its_share_of_the_cores(store: RunStore) -> None:
    job = submit(store, "environment", {})
    assert job.wait(WAIT).state == "finished"
    seen = job.result()
    assert seen["threads"] <= max(1, (os.cpu_count() or 2) // 2)
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"
    assert {name: seen[name] for name in MALLOC_SETTINGS} == {
        name: str(value) for name, value in MALLOC_SETTINGS.items()
    }


def test_a_command_and_a_sweep_compute_on_the_cluster(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli import main

    options = ["--dataset", "synthetic:users=40,items=30,interactions=400,image=6,text=4"]
    options += ["--runs-folder", str(store.root), "--json"]
    quick = {"epochs": "2", "batch_size": "128", "device": "cpu", "model.width": "4"}
    scheduler = ["--scheduler", os.environ.get("BASIN_SCHEDULER", "embedded")]
    settings = [part for key, value in quick.items() for part in (f"--{key}", value)]
    assert main(["train", *options, *settings, *scheduler]) == 0
    job = jobs(store)[0]
    assert job.status().state == "finished"
    assert worker_of(job) != os.getpid()
    shared = [part for key, value in quick.items() for part in ("--set", f"{key}={value}")]
    for started in (6, 0):
        sweep = ["sweep", "grid", "--preset", "plain", "--preset", "mg", "--seeds", "3"]
        assert main([*sweep, *shared, *options, *scheduler]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (told["started"], told["states"]) == (started, {"finished": 6})


def test_an_unknown_task_leaves_no_job(store: RunStore) -> None:
    before = len(jobs(store))
    with pytest.raises(JobError, match="'nonsense' is not a task"):
        submit(store, "nonsense", {})
    assert len(jobs(store)) == before
    assert isinstance(jobs(store)[0], Job)
