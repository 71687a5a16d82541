"""What training does where a device has no memory left."""

import pytest
import torch

from engine.foundation.errors import TrainingError
from engine.objectives import Objective
from engine.training import GuardedOptimiser, MemoryRecorder, fit, preset
from engine.training.checkpoint import restore
from engine.training.trainer import Trainer

QUICK = {"epochs": 3, "batch_size": 128, "device": "cpu", "model.width": 8, "checkpoint_every": 1}
SAYINGS = {
    "CUDA": torch.OutOfMemoryError("CUDA out of memory."),
    "MPS": RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
}


@pytest.fixture(params=SAYINGS)
def no_room(request):
    return SAYINGS[request.param]


def room_for(monkeypatch, n_triples, error):
    """Batches of more triples do not fit any more."""
    real = Objective.__call__

    def limited(self, model, batch, features, generator):
        if len(batch) > n_triples:
            raise error
        return real(self, model, batch, features, generator)

    monkeypatch.setattr(Objective, "__call__", limited)


def test_a_batch_that_does_not_fit_is_taken_in_pieces_to_the_same_gradient(
    tiny, monkeypatch, no_room
):
    changes = QUICK | {"objective.regulariser.weight": 0.0, "precision": "float64"}
    recorder = MemoryRecorder()
    whole = Trainer(tiny, preset("plain", changes), MemoryRecorder())
    pieces = Trainer(tiny, preset("plain", changes), recorder)
    triples = whole.epoch_triples(1).part(0, 128)
    draws = torch.Generator()
    whole.backward(whole.objective, triples, draws)
    room_for(monkeypatch, 40, no_room)
    pieces.backward(pieces.objective, triples, draws)
    assert pieces.state.n_micro_batches == 4
    assert [e["kind"] for e in recorder.events] == ["memory", "memory"]
    for one, two in zip(whole.model.parameters(), pieces.model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ["mg", "sam", "amr"])
def test_a_whole_run_in_pieces_counts_its_passes_once_and_goes_on_in_pieces(
    tiny, monkeypatch, name
):
    warm = {"objective.adversary.warm_start_epochs": 1} if name == "amr" else {}
    config = preset(name, QUICK | warm)
    whole = fit(tiny, config)
    room_for(monkeypatch, 70, SAYINGS["CUDA"])
    recorder = MemoryRecorder()
    result = fit(tiny, config, recorder)
    assert result.gradient_passes == whole.gradient_passes
    assert [e["kind"] for e in recorder.events].count("memory") == 1
    assert recorder.checkpoint.values["state"]["n_micro_batches"] == 2
    trainer = Trainer(tiny, config, MemoryRecorder())
    restore(trainer, recorder.checkpoint)
    assert trainer.state.n_micro_batches == 2


def test_where_not_even_one_triple_fits_the_error_says_what_to_do(tiny, monkeypatch, no_room):
    room_for(monkeypatch, 0, no_room)
    with pytest.raises(TrainingError, match="one triple at a time; choose a smaller model"):
        fit(tiny, preset("plain", QUICK))


def test_no_room_for_anything_else_is_a_clear_error(tiny, monkeypatch, no_room):
    def step(*_, **__):
        raise no_room

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    with pytest.raises(TrainingError, match=r"out of memory on device cpu; .*width"):
        fit(tiny, preset("plain", QUICK))


def test_other_errors_stay_what_they_are(tiny, monkeypatch):
    def apply(*_, **__):
        raise RuntimeError("something else")

    monkeypatch.setattr(GuardedOptimiser, "apply", apply)
    with pytest.raises(RuntimeError, match="something else"):
        fit(tiny, preset("plain", QUICK))
