"""What the Train button queues, and which trainings are drawn."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.train import trainings as training
from app.widgets import resume as resuming
from engine.foundation.errors import ConfigError
from engine.jobs import JobStatus, jobs
from engine.runs import RunStore
from engine.training import preset

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
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


def test_a_config_that_does_not_fit_the_dataset_starts_nothing(nothing, queued) -> None:
    config = preset("plain", {"model.modalities": ("audio",)})
    with pytest.raises(ConfigError, match="audio"):
        training.start(config, "mine", 2)
    assert queued == []
    assert nothing.list().empty


@pytest.fixture
def stopped(nothing: RunStore) -> dict[str, str]:
    """Runs that stopped on the way, by how."""
    runs = {}
    for state, reason in (("failed", "no luck today"), ("cancelled", ""), ("interrupted", "gone")):
        run = nothing.create({"epochs": 1}, {"dataset": {"name": "shop"}, "seed": 0}, name=state)
        run.end(state, reason)
        runs[state] = run.id
    return runs


def train_page() -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = DATA
    test.run()
    test.switch_page("views/train.py").run()
    assert not test.exception, test.exception[0].message
    return test


def test_what_stopped_says_why_and_has_a_button_after_a_reload(stopped, monkeypatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(resuming, "submit", lambda store, task, params, runs: asked.append(runs))
    test = train_page()
    warnings = [warning.value for warning in test.warning]
    assert any("**failed** failed. no luck today" in text for text in warnings)
    assert any("**cancelled** was cancelled." in text for text in warnings)
    for run in stopped.values():
        test.button(key=f"resume.offer.{run}").click().run()
    assert asked == [[run] for run in stopped.values()]


def test_a_run_that_is_at_work_or_finished_is_not_resumed(stopped, nothing, monkeypatch) -> None:
    monkeypatch.setattr(resuming, "runs_at_work", lambda: {stopped["cancelled"]})
    monkeypatch.setattr(resuming, "submit", lambda *_: None)
    done = nothing.create({"epochs": 1}, {"dataset": {"name": "shop"}, "seed": 0}, name="done")
    done.end("finished")
    assert resuming.resume([*stopped.values(), done.id]) == 2
