"""A warm start is the plain run of its seed; any strategy can start from a finished run."""

import pytest
import torch

from engine.foundation.errors import BasinError, Cancelled, TrainingError
from engine.foundation.progress import silent
from engine.training import MemoryRecorder, fit, preset
from engine.training.fitting import train_until_done
from engine.training.trainer import Trainer

QUICK = {"epochs": 6, "batch_size": 128, "device": "cpu", "model.width": 8}
WARM = "objective.adversary.warm_start_epochs"


def assert_equal(one, two):
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["amr", "pgd", "apr", "noise", "mg+amr"])
def test_a_warm_start_is_the_plain_run_and_then_a_fresh_optimiser(tiny, name):
    plain = fit(tiny, preset("mg" if name == "mg+amr" else "plain", QUICK | {"epochs": 9}))
    whole = fit(tiny, preset(name, QUICK | {WARM: 9}))
    config = preset(name, QUICK)
    continued = fit(tiny, config, start_from=plain.model.theta())
    assert_equal(whole.model, continued.model)
    assert whole.best_epoch == 9 + continued.best_epoch
    assert whole.gradient_passes == plain.gradient_passes + continued.gradient_passes


def test_a_warm_start_ends_by_patience_at_its_best_epoch(tiny):
    changes = QUICK | {"patience": 2, "optimiser.learning_rate": 0.05}
    plain = fit(tiny, preset("plain", changes | {"epochs": 60}))
    recorder = MemoryRecorder()
    fit(tiny, preset("amr", changes | {WARM: 60}), recorder)
    (end,) = [e for e in recorder.events if e["kind"] == "warm-start-end"]
    assert end["best_epoch"] == plain.best_epoch
    assert end["epoch"] == plain.best_epoch + 2 < 60
    phases = [e["phase"] for e in recorder.events if e["kind"] == "epoch"]
    assert phases == ["warm start"] * end["epoch"] + ["main"] * (len(phases) - end["epoch"])


@pytest.mark.parametrize("name", ["plain", "mg", "sam", "amr"])
def test_starting_from_weights_equals_putting_them_in_place_by_hand(tiny, name):
    start = fit(tiny, preset("plain", QUICK)).model.theta()
    config = preset(name, QUICK | ({WARM: 0} if name == "amr" else {}))
    trainer = Trainer(tiny, config, MemoryRecorder())
    trainer.model.load_theta(start)
    train_until_done(trainer, silent)
    result = fit(tiny, config, start_from=start)
    assert_equal(result.model, trainer.model)
    assert any(not torch.equal(p, start[n]) for n, p in result.model.named_parameters())


@pytest.mark.parametrize("at", [2, 5])
def test_a_run_resumes_within_its_warm_start_and_after_it(tiny, at):
    config = preset("amr", QUICK | {WARM: 4, "checkpoint_every": 1, "averaging": "swa",
                                    "averaging.start_epoch": 2})  # fmt: skip
    recorder = MemoryRecorder()

    def cancel(share, message):
        if message.startswith(f"epoch {at + 1} "):
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fit(tiny, config, recorder, cancel)
    whole, resumed = fit(tiny, config), fit(tiny, config, recorder)
    assert_equal(whole.model, resumed.model)
    assert whole.best_epoch == resumed.best_epoch > 4
    epochs = [e["epoch"] for e in recorder.events if e["kind"] == "epoch"]
    assert epochs == list(range(1, 11))


def test_weights_of_another_shape_and_a_run_without_its_weights_are_refused(tiny):
    other = fit(tiny, preset("plain", QUICK | {"model.width": 4, "epochs": 1})).model.theta()
    with pytest.raises(
        BasinError, match=r"weights of 'users': \(60, 8\) was found, \(60, 16\) fits"
    ):
        fit(tiny, preset("plain", QUICK), start_from=other)
    with pytest.raises(TrainingError, match="start_from names run r1, but its weights were not"):
        fit(tiny, preset("plain", QUICK | {"start_from": "r1"}))
