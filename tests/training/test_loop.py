"""The loop: how it stops, what it keeps, and that one seed decides everything."""

import json
import os
import subprocess
import sys

import pytest
import torch

from engine.data import Dataset, Interactions
from engine.foundation.errors import BasinError, Cancelled, ConfigError, TrainingError
from engine.foundation.progress import silent
from engine.training import MemoryRecorder, Trained, fit, preset
from engine.training.checkpoint import restore, snapshot_of
from engine.training.fitting import train_until_done
from engine.training.trainer import Trainer

QUICK = {"epochs": 6, "batch_size": 128, "device": "cpu", "model.width": 8}


def test_it_stops_when_patience_is_used_up(tiny):
    recorder = MemoryRecorder()
    result = fit(tiny, preset("plain", QUICK | {"epochs": 500, "patience": 3}), recorder)
    epochs = [e["epoch"] for e in recorder.events if e["kind"] == "epoch"]
    assert epochs[-1] == result.best_epoch + 3


def test_the_kept_weights_are_those_of_the_best_validation_epoch(tiny):
    recorder = MemoryRecorder()
    config = preset("plain", QUICK | {"epochs": 40, "patience": 40})
    result = fit(tiny, config, recorder)
    history = {e["epoch"]: e["valid_recall@20"] for e in recorder.events if e["kind"] == "epoch"}
    assert result.valid["recall@20"] == max(history.values()) == history[result.best_epoch]
    shorter = fit(tiny, preset("plain", QUICK | {"epochs": result.best_epoch}))
    for one, two in zip(result.model.parameters(), shorter.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_test_split_decides_nothing(tiny):
    nothing = Interactions(tiny.test.users[:1], tiny.test.items[:1])
    other = Dataset(
        "other", tiny.n_users, tiny.n_items, tiny.train, tiny.valid, nothing, tiny.features
    )
    one, two = fit(tiny, preset("plain", QUICK)), fit(other, preset("plain", QUICK))
    assert one.best_epoch == two.best_epoch
    assert one.valid == two.valid


def test_a_loss_that_explodes_ends_as_diverged_with_finite_weights(tiny):
    recorder = MemoryRecorder()
    config = preset("plain", QUICK | {"optimiser": "sgd", "optimiser.learning_rate": 1e25})
    result = fit(tiny, config, recorder)
    assert result.state == "diverged"
    assert all(torch.isfinite(p).all() for p in result.model.parameters())
    assert any(e["kind"] == "diverged" for e in recorder.events)


def test_cancelling_keeps_the_best_weights_so_far(tiny):
    recorder = MemoryRecorder()

    def cancel_in_epoch_3(share, message):
        if message.startswith("epoch 3"):
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fit(tiny, preset("plain", QUICK), recorder, cancel_in_epoch_3)
    Trained.from_weights(preset("plain", QUICK), recorder.weights, tiny)
    assert recorder.events[-1] == {"kind": "cancelled", "epoch": 2}


@pytest.mark.parametrize(
    ("device", "message"),
    [("cuda", "no CUDA GPU is here"), ("mps", "no Apple GPU is here"), ("tpu", "'auto', 'cpu'")],
)
def test_a_device_that_is_not_here_is_a_clear_error(tiny, device, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=message):
        fit(tiny, preset("plain", QUICK | {"device": device}))


def test_float64_on_an_apple_gpu_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(TrainingError, match="Apple GPUs do not compute"):
        fit(tiny, preset("plain", QUICK | {"device": "auto", "precision": "float64"}))


def test_without_validation_nothing_can_be_chosen(tiny):
    none = Interactions(tiny.valid.users[:0], tiny.valid.items[:0])
    bare = Dataset("bare", tiny.n_users, tiny.n_items, tiny.train, none, tiny.test, tiny.features)
    with pytest.raises(TrainingError, match="no validation interactions"):
        fit(bare, preset("plain", QUICK))


@pytest.mark.parametrize(
    ("change", "message"), [({"seed": 1}, "other settings"), ({}, "fingerprint")]
)
def test_a_checkpoint_of_something_else_is_refused(tiny, change, message):
    recorder = MemoryRecorder()
    trainer = Trainer(tiny, preset("plain", QUICK), recorder)
    recorder.save_checkpoint(snapshot_of(trainer))
    changed = Dataset(
        "tiny", tiny.n_users, tiny.n_items, tiny.valid, tiny.train, tiny.test, tiny.features
    )
    with pytest.raises(TrainingError, match=message):
        fit(tiny if change else changed, preset("plain", QUICK | change), recorder)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "adagrad"])
def test_a_resumed_run_keeps_to_its_schedule(tiny, optimiser):
    schedule = {"schedule.decay": "cosine", "schedule.warmup_epochs": 2.5}
    config = preset("plain", QUICK | schedule | {"optimiser": optimiser, "checkpoint_every": 1})
    recorder = MemoryRecorder()

    def cancel_in_epoch_4(share, message):
        if message.startswith("epoch 4"):
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fit(tiny, config, recorder, cancel_in_epoch_4)
    trainer = Trainer(tiny, config, recorder)
    restore(trainer, recorder.load_checkpoint())
    train_until_done(trainer, silent)
    whole = Trainer(tiny, config, MemoryRecorder())
    train_until_done(whole, silent)
    assert trainer.state.epoch == whole.state.epoch == 6
    rates = [group["lr"] for group in whole.optimiser.optimiser.param_groups]
    assert [group["lr"] for group in trainer.optimiser.optimiser.param_groups] == rates
    for one, two in zip(trainer.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_decay_ends_with_the_gradient_passes_where_these_end_training(tiny):
    changes = {"match_gradient_passes": 100, "schedule.decay": "linear", "epochs": 2}
    trainer = Trainer(tiny, preset("plain", QUICK | changes), MemoryRecorder())
    base = trainer.optimiser.optimiser.param_groups[0]["lr"]
    rates = []
    step = trainer.stepper.step

    def noted(closure):
        rates.append(trainer.optimiser.optimiser.param_groups[0]["lr"])
        return step(closure)

    trainer.stepper.step = noted
    train_until_done(trainer, silent)
    assert rates == pytest.approx([base * (1 - done / 100) for done in range(100)])


@pytest.mark.parametrize("end", [{"match_gradient_passes": 9}, {"max_seconds": 1e-9}])
def test_training_that_ends_within_the_warm_start_says_so(tiny, end):
    config = preset("amr", QUICK | {"objective.adversary.warm_start_epochs": 3} | end)
    with pytest.raises(TrainingError, match="within the warm start"):
        fit(tiny, config)


def test_fewer_gradient_passes_than_a_step_takes_are_refused(tiny):
    with pytest.raises(TrainingError, match="match_gradient_passes is 1, less than one step"):
        fit(tiny, preset("sam", QUICK | {"match_gradient_passes": 1}))


def test_a_deterministic_run_is_the_same_and_torch_refuses_what_may_vary(tiny, monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    seen = []

    def watch(share, message):
        seen.append(
            (torch.are_deterministic_algorithms_enabled(), "CUBLAS_WORKSPACE_CONFIG" in os.environ)
        )

    usual = fit(tiny, preset("mg", QUICK))
    strict = fit(tiny, preset("mg", QUICK | {"deterministic": True}), None, watch)
    assert set(seen) == {(True, True)}
    assert not torch.are_deterministic_algorithms_enabled()
    for one, two in zip(usual.model.parameters(), strict.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_mirror_gradient_counts_its_extra_passes(tiny):
    plain = fit(tiny, preset("plain", QUICK | {"epochs": 2}))
    mirrored = fit(tiny, preset("mg", QUICK | {"epochs": 2}))
    steps = -(-len(tiny.train) // 128)
    assert plain.gradient_passes == 2 * steps
    assert mirrored.gradient_passes == 2 * (steps + -(-steps // 3))


def test_mirror_gradient_with_alpha2_zero_trains_as_plain(tiny):
    plain = fit(tiny, preset("plain", QUICK))
    mirrored = fit(tiny, preset("mg", QUICK | {"stepper.alpha2": 0}))
    for one, two in zip(plain.model.parameters(), mirrored.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_weights_that_do_not_fit_the_dataset_are_a_clear_error(tiny):
    with pytest.raises(BasinError, match="'users': nothing was found"):
        Trained.from_weights(preset("plain", QUICK), {}, tiny)


PROGRAM = """
import json, sys
from engine.data import synthetic
from engine.training import fit, preset
data = synthetic(60, 40, 900, image_width=12, text_width=8, seed=3)
result = fit(data, preset("mg+amr", json.loads(sys.argv[1])))
print(json.dumps([float(p.double().sum()).hex() for p in result.model.parameters()]))
"""


@pytest.mark.processes
def test_two_processes_with_one_seed_agree(monkeypatch, capsys):
    settings = json.dumps(QUICK | {"objective.adversary.warm_start_epochs": 2})
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM, settings], capture_output=True, text=True, check=True
    )
    monkeypatch.setattr(sys, "argv", ["", settings])
    exec(PROGRAM, {})
    assert capsys.readouterr().out == there.stdout
    assert there.stdout.startswith("[")
