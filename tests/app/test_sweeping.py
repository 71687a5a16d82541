"""The Train page plans, starts, watches and mends a sweep; trained in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.panels.train.sweep_form import parse_values, sweepable_fields
from engine.foundation.errors import ConfigError, JobError
from engine.jobs import run_here
from engine.runs import RunStore
from engine.studies.sweeps import Sweep, sweep_names
from engine.studies.task_table import TASKS

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"


@pytest.mark.parametrize(
    ("path", "text", "values"),
    [
        ("epochs", "3, 5", (3, 5)),
        ("optimiser.learning_rate", "1e-3,0.01, 0.01", (0.001, 0.01)),
        ("clip_norm", "none, 1", (None, 1.0)),
        ("deterministic", "true, False", (True, False)),
        ("validation_metric", "recall, ndcg", ("recall", "ndcg")),
    ],
)
def test_values_are_of_their_settings_own_type(path: str, text: str, values: tuple) -> None:
    found = parse_values(sweepable_fields()[path], text)
    assert found == values
    assert [type(v) for v in found] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("epochs", "3, 2.5", "epochs: '2.5' is not a whole number"),
        ("optimiser.learning_rate", "fast", "'fast' is not a number"),
        ("validation_metric", "auc", "'auc' is none of recall, ndcg"),
        ("deterministic", "yes", "'yes' is neither true nor false"),
        ("epochs", " , ", "epochs has no value"),
    ],
)
def test_a_value_of_another_type_is_named(path: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_values(sweepable_fields()[path], text)


@pytest.fixture
def here(nothing: RunStore, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """An empty runs folder, whose sweeps are trained in this process: no cluster is started."""

    monkeypatch.setattr("engine.studies.sweeps.submit_all", done_here)
    return nothing


def done_here(store: RunStore, task: str, asked: list, **_: object) -> None:
    for params, run_ids in asked:
        run_here(store, task, params, run_ids=run_ids)


def opened() -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = DATA
    test.run()
    test.switch_page("views/train.py").run()
    test.button_group(key="what_to_train").set_value("A sweep").run()
    assert not test.exception, test.exception[0].message
    return test


def filled(test: AppTest) -> AppTest:
    """One preset, two learning rates, two seeds, and quick runs."""
    test.button_group(key="sweep.presets").set_value(["plain"]).run()
    test.multiselect(key="sweep.grid").set_value(["optimiser.learning_rate"]).run()
    test.text_input(key="sweep.grid.optimiser.learning_rate").set_value("0.001, 0.01").run()
    test.multiselect(key="sweep.settings").set_value(["epochs", "device"]).run()
    test.text_input(key="sweep.settings.epochs").set_value("2").run()
    test.text_input(key="sweep.settings.device").set_value("cpu").run()
    test.number_input(key="sweep.seeds").set_value(2).run()
    assert not test.error, test.error[0].value
    return test


def button(test: AppTest, beginning: str):
    return next(b for b in test.button if b.label.startswith(beginning))


def test_a_sweep_is_planned_started_and_its_table_filled(here: RunStore) -> None:
    test = filled(opened())
    assert any("4 runs: 2 strategies" in caption.value for caption in test.caption)
    test.text_input(key="sweep.name").set_value("rates").run()
    button(test, "Start the sweep").click().run()
    assert not test.exception, test.exception[0].message
    assert sweep_names(here) == ["rates"]
    sweep = Sweep(here, "rates")
    assert set(sweep.table()["state"]) == {"finished"}
    assert {c.optimiser.learning_rate for _, c in sweep.plan()} == {0.001, 0.01}
    shown = [frame.value for frame in test.dataframe]
    assert any("n_seeds" in frame and len(frame) == 2 for frame in shown)
    assert any("best_epoch" in frame and len(frame) == 4 for frame in shown)
    assert button(test, "Resume").disabled
    assert button(test, "Retry failed").disabled


def test_failed_runs_are_shown_with_their_reason_and_retried(
    here: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> dict:
        raise JobError("no luck today")

    monkeypatch.setitem(TASKS, "train", failing)
    test = filled(opened())
    button(test, "Start the sweep").click().run()
    assert any("no luck today" in error.value for error in test.error)
    monkeypatch.undo()
    monkeypatch.setenv("BASIN_RUNS", str(here.root))
    monkeypatch.setattr("engine.studies.sweeps.submit_all", done_here)
    assert button(test, "Retry failed").label == "Retry failed (4)"
    button(test, "Retry failed").click().run()
    assert not test.error
    assert set(Sweep(here, "sweep-1").table()["state"]) == {"finished"}


def test_runs_that_are_missing_are_trained_on_resume(here: RunStore) -> None:
    test = filled(opened())
    button(test, "Start the sweep").click().run()
    sweep = Sweep(here, "sweep-1")
    kept = sorted(run.id for run in sweep.runs().values())
    here.delete(kept[0])
    test.run()
    assert button(test, "Resume").label == "Resume (1)"
    button(test, "Resume").click().run()
    assert set(sweep.table()["state"]) == {"finished"}
    assert set(kept[1:]) < {run.id for run in sweep.runs().values()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.text_input(key="sweep.grid.optimiser.learning_rate").set_value("quick"),
         "'quick' is not a number"),
        (lambda t: t.text_input(key="sweep.settings.epochs").set_value("2, 3"), "has 2 values"),
        (lambda t: t.text_input(key="sweep.settings.epochs").set_value("0"), "epochs"),
        (lambda t: t.button_group(key="sweep.presets").set_value([]), "choose at least one"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_one_clear_error(here: RunStore, change, message: str) -> None:
    test = filled(opened())
    change(test).run()
    assert not test.exception
    assert len(test.error) == 1
    assert message in test.error[0].value
    assert button(test, "Start the sweep").disabled
    assert sweep_names(here) == []


def test_a_name_taken_by_another_sweep_is_refused(here: RunStore) -> None:
    test = filled(opened())
    button(test, "Start the sweep").click().run()
    test.number_input(key="sweep.seeds").set_value(3).run()
    button(test, "Start the sweep").click().run()
    assert len(test.error) == 1
    assert "with other settings" in test.error[0].value
    assert len(here.list()) == 4


def test_a_new_session_proposes_a_name_that_is_free(here: RunStore) -> None:
    test = filled(opened())
    button(test, "Start the sweep").click().run()
    assert opened().text_input(key="sweep.name").value == "sweep-2"
