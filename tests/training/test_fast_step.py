"""The fast training step against its slow twin: the whole catalogue projected, plain autograd."""

from functools import partial

import pytest
import torch
from torch.nn.functional import softplus

from engine.data import synthetic
from engine.models.parts import projection
from engine.training import MemoryRecorder, preset
from engine.training.trainer import Trainer

STEPS = {"plain": 1, "amr": 1, "mg": 2, "mg+amr": 2}
"""How many gradients of a preset's first batch are compared; Mirror Gradient mirrors on it."""


@pytest.fixture(scope="module")
def wide():
    return synthetic(80, 120, 1500, image_width=300, text_width=60, seed=2)


def slow_loss(trainer, triples):
    """BPR with MMRec's penalty, and AMR's term, as the papers write them."""
    model, adversary = trainer.model, trainer.objective.adversary
    x = {m: f.clone().requires_grad_() for m, f in trainer.features.items()}

    def ranked(features):
        projected = sum(features[m] @ model.projection[m].T for m in features) + model.bias
        items = torch.cat([model.items, projected], dim=1)
        rows = model.users[triples.users], items[triples.positives], items[triples.negatives]
        margins = (rows[0] * (rows[1] - rows[2])).sum(dim=1)
        return softplus(-margins).mean(), rows

    clean, rows = ranked(x)
    loss = clean + 0.01 * sum(r.norm() for r in rows) / len(triples)
    if adversary is not None:
        moved = {}
        gradients = torch.autograd.grad(clean, list(x.values()), retain_graph=True)
        for m, g in zip(x, gradients, strict=True):
            length = 0.3 * x[m].detach().norm(dim=1, keepdim=True)
            moved[m] = x[m].detach() + length * g / g.norm(dim=1, keepdim=True).clamp_min(1e-30)
        loss = loss + ranked(moved)[0]
    return loss


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("block_bytes", [5000, 1 << 21])
def test_the_fast_step_equals_its_slow_twin_to_1e_6_in_float32(
    wide, monkeypatch, name, block_bytes
):
    monkeypatch.setattr(projection, "BLOCK_BYTES", block_bytes)
    changes = {"batch_size": 512, "device": "cpu", "model.width": 16, "feature_precision": "same"}
    if preset(name).objective.adversary is not None:
        changes["objective.adversary.warm_start_epochs"] = 0
    trainer = Trainer(wide, preset(name, changes), MemoryRecorder())
    triples = trainer.epoch_triples(1).part(0, 512)
    compared = 0

    def both():
        nonlocal compared
        fast = trainer.backward(trainer.objective, triples, torch.Generator())
        slow = slow_loss(trainer, triples)
        assert float(fast) == pytest.approx(float(slow.detach()), rel=1e-6)
        parameters = dict(trainer.model.named_parameters())
        expected = torch.autograd.grad(slow, list(parameters.values()))
        found = [p.grad for p in parameters.values()]
        pairs = dict(zip(parameters, zip(found, expected, strict=True), strict=True))
        pairs["bias"] = flat(found), flat(expected)  # alone it cancels in margins, to rounding
        for name, (one, two) in pairs.items():
            assert float((one - two).norm() / two.norm()) < 1e-6, name
        compared += 1
        return fast

    trainer.stepper.start_epoch()
    trainer.stepper.step(partial(both))
    assert compared == STEPS[name]
