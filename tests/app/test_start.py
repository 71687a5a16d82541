"""What the Train button queues, and which trainings are drawn."""

import pytest

from app.panels.train import trainings as training
from engine.jobs import JobStatus, jobs
from engine.runs import RunStore
from engine.training import preset

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"


@pytest.fixture
def queued(nothing: RunStore, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The params of everything that was submitted, which no cluster gets to see."""
    asked: list[dict] = []
    monkeypatch.setattr(training, "dataset_path", lambda: DATA)
    monkeypatch.setattr(training, "submit", lambda store, task, params, runs: asked.append(params))
    return asked


def test_seeds_are_a_job_each(nothing, queued) -> None:
    runs = training.start(preset("plain", {"seed": 3}), "mine", 3)
    assert queued == [{"run": run} for run in runs]
    assert [nothing.get(run).config["seed"] for run in runs] == [3, 4, 5]
    assert [nothing.get(run).name for run in runs] == [f"mine, seed {s}" for s in (3, 4, 5)]
    assert jobs(nothing) == []


def test_one_seed_is_one_run_of_the_given_name(nothing, queued) -> None:
    (run,) = training.start(preset("plain"), "mine", 1)
    assert queued == [{"run": run}]
    assert nothing.get(run).name == "mine"


def test_of_a_long_queue_the_trainings_at_work_are_drawn() -> None:
    seen = [f"run {n}" for n in range(300)]
    at_work = [JobStatus("running", run_ids=(f"run {n}",)) for n in (3, 4)]
    waiting = [JobStatus("queued", run_ids=(f"run {n}",)) for n in range(5, 300)]
    assert training.runs_to_draw(seen, [*at_work, *waiting]) == [f"run {n}" for n in range(5)]
    assert training.runs_to_draw(seen, []) == seen[-training.CURVES :]
    assert training.runs_to_draw([], []) == []
