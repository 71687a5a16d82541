"""The task ``train``: the run's folder says what came of it."""

import pytest
import torch

from engine.cli import main
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


def test_each_seed_starts_from_the_run_of_its_own_seed(tmp_path):
    from engine.data import read_dataset

    store = RunStore(tmp_path / "runs")
    quick = [part for key, value in QUICK.items() for part in (f"--{key}", str(value))]
    shared = ["--dataset", DATA, *quick, "--runs-folder", str(store.root)]
    assert main(["train", *shared, "--seeds", "2"]) == 0
    parents = {run.config["seed"]: run for run in map(store.get, store.list()["id"])}
    assert main(["train", *shared, "--preset", "amr", "--start-from", "plain", "--seeds", "2"]) == 0
    runs = [run for run in map(store.get, store.list()["id"]) if run.config["start_from"]]
    assert len(runs) == 2
    for run in runs:
        parent = parents[run.config["seed"]]
        assert run.name == "amr from plain"
        assert run.provenance["parent"]["run"] == run.config["start_from"] == parent.id
        config = preset("amr", QUICK | {"seed": run.config["seed"]})
        expected = fit(read_dataset(DATA), config, start_from=parent.weights())
        for name, weights in expected.model.theta().items():
            assert torch.equal(weights, run.weights()[name])
    assert main(["train", *shared, "--start-from", "plain", "--seeds", "3"]) == 1


def test_a_run_that_cannot_be_started_from_is_refused_before_one_is_made(tmp_path):
    store = RunStore(tmp_path / "runs")
    parent = create_run(store, DATA, preset("plain", QUICK))
    config = preset("amr", QUICK | {"start_from": parent.id})
    with pytest.raises(RunError, match="which is queued; training can start from the weights of"):
        create_run(store, DATA, config)
    train(store, {"run": parent.id}, silent)
    with pytest.raises(RunError, match="trained on a dataset with fingerprint"):
        create_run(store, DATA + ",seed=5", config)
    with pytest.raises(RunError, match=r"whose model.width is 4; here it is 6"):
        create_run(store, DATA, config.changed({"model.width": 6}))
    with pytest.raises(RunError, match="nobody"):
        create_run(store, DATA, config.changed({"start_from": "nobody"}))
    assert len(store.list()) == 1
