"""The task ``train``: the run's folder says what came of it."""

import pytest

from engine.foundation.errors import RunError
from engine.foundation.progress import silent
from engine.runs import RunStore
from engine.studies.new_run import create_run
from engine.studies.trainings import train
from engine.training import fit, preset

DATA = "synthetic:users=40,items=30,interactions=400,image=6,text=4"
QUICK = {"epochs": 3, "batch_size": 128, "device": "cpu", "model.width": 4, "checkpoint_every": 1}


def test_a_run_holds_what_fit_returns(tmp_path):
    from engine.data import read_dataset

    store, config = RunStore(tmp_path / "runs"), preset("plain", QUICK)
    run = create_run(store, DATA, config)
    result = train(store, {"run": run.id}, silent)
    expected = fit(read_dataset(DATA), config)
    assert run.state == result["state"] == "finished"
    for key in ("best_epoch", "valid", "test", "gradient_passes"):
        assert run.summary[key] == result[key] == getattr(expected, key)
    assert len(run.events("epoch")) == 3
    assert run.summary["trained_on"]["device"] == "cpu"
    assert run.has_weights
    assert run.has_checkpoint
    assert run.results("user-metrics") != []


def test_a_finished_run_is_not_trained_again(tmp_path):
    store = RunStore(tmp_path / "runs")
    run = create_run(store, DATA, preset("plain", QUICK))
    train(store, {"run": run.id}, silent)
    weights = (run.path / "weights.safetensors").read_bytes()
    with pytest.raises(RunError, match="has finished; it is not trained again"):
        train(store, {"run": run.id}, silent)
    assert run.state == "finished"
    assert (run.path / "weights.safetensors").read_bytes() == weights
