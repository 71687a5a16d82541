"""Several seeds as one job: each run's folder says what became of it."""

import pytest

from engine.foundation.errors import Cancelled, JobError, TrainingError
from engine.runs import RunStore
from engine.studies import trainings
from engine.studies.new_run import create_run
from engine.studies.trainings import train
from engine.training import preset
from engine.training import seeds as seeds_module

DATA = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
QUICK = {"epochs": 3, "batch_size": 128, "device": "cpu", "model.width": 4, "checkpoint_every": 1}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


def runs_of(store, seeds=(0, 1, 2), **changes):
    config = preset("plain", QUICK | changes)
    return [create_run(store, DATA, config.changed({"seed": s})).id for s in seeds]


def silent(share, message=""):
    del share, message


def test_each_run_of_several_is_kept_as_if_trained_alone(store):
    together, alone = runs_of(store), runs_of(store)
    results = train(store, {"runs": together}, silent)["runs"]
    assert [result["run"] for result in results] == together
    for one, other in zip(together, alone, strict=True):
        train(store, {"run": other}, silent)
        found, wanted = store.get(one), store.get(other)
        assert found.state == "finished"
        assert found.summary["valid"] == pytest.approx(wanted.summary["valid"], abs=1e-6)
        assert len(found.events("epoch")) == len(wanted.events("epoch")) == 3
        assert found.has_weights
        assert found.summary["trained_on"]["device"] == "cpu"
        assert found.has_checkpoint
        assert found.results("user-metrics") == wanted.results("user-metrics") != []


def test_runs_that_differ_in_more_than_the_seed_are_refused(store):
    runs = runs_of(store) + runs_of(store, (3,), **{"model.width": 8})
    with pytest.raises(JobError, match="differ in more than their seed"):
        train(store, {"runs": runs}, silent)
    assert {store.get(run).state for run in runs} == {"failed"}


def test_one_seeds_error_leaves_the_others_finished(store, monkeypatch):
    real = seeds_module.finished
    broken = []

    def failing_once(trainer, state):
        if trainer.config.seed == 1:
            broken.append(trainer)
            raise TrainingError("this seed's disk is full")
        return real(trainer, state)

    monkeypatch.setattr(seeds_module, "finished", failing_once)
    runs = runs_of(store)
    with pytest.raises(JobError, match="1 of 3 seeds failed; the first: this seed's disk is full"):
        train(store, {"runs": runs}, silent)
    assert broken
    assert [store.get(run).state for run in runs] == ["finished", "failed", "finished"]
    assert store.get(runs[1]).status.reason == "this seed's disk is full"


def test_cancelling_stops_all_and_all_can_be_resumed(store):
    runs, whole = runs_of(store), runs_of(store)

    def cancel_in_the_second_epoch(share, message=""):
        if share > 0.4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        train(store, {"runs": runs}, cancel_in_the_second_epoch)
    assert {store.get(run).state for run in runs} == {"cancelled"}
    train(store, {"runs": runs}, silent)
    train(store, {"runs": whole}, silent)
    for one, other in zip(runs, whole, strict=True):
        assert store.get(one).summary["test"] == store.get(other).summary["test"]


def test_a_run_under_way_cannot_be_trained_with_others_meanwhile(store):
    runs = runs_of(store)
    with store.get(runs[1]).running():
        with pytest.raises(Exception, match="already"):
            train(store, {"runs": runs}, silent)
        assert store.get(runs[1]).state == "running"
    assert trainings.train(store, {"runs": runs}, silent)["runs"]
