"""Mirror Gradient against closed forms and a ten-line reference."""

import pytest
import torch

from engine.foundation.progress import silent
from engine.objectives import Objective
from engine.training import (
    GuardedOptimiser,
    MemoryRecorder,
    MirrorGradient,
    MirrorGradientConfig,
    Plain,
    PlainConfig,
    fit,
    preset,
)
from engine.training.fitting import train_until_done
from engine.training.stepping.optimisers import NonFiniteError
from engine.training.stepping.sharpness_aware import ASAMConfig, GradientNormConfig, SAMConfig
from engine.training.trainer import Trainer


def quadratic(h, theta):
    def closure():
        theta.grad = None
        loss = 0.5 * (h * theta**2).sum()
        loss.backward()
        return loss.detach()

    return closure


def started(lr=0.1, **kwargs):
    theta = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    return theta, GuardedOptimiser(torch.optim.SGD([theta], lr=lr), **kwargs)


H = torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64)


def test_a_mirror_step_on_a_quadratic_multiplies_the_error_as_derived():
    theta, optimiser = started(lr=0.1)
    before = theta.detach().clone()
    MirrorGradient(optimiser, alpha1=1.0, alpha2=0.3, beta=1).step(quadratic(H, theta))
    expected = before * (1 - 1.0 * 0.1 * H) * (1 + 0.3 * 0.1 * H)
    torch.testing.assert_close(theta.detach(), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("beta", [1, 2, 3])
@pytest.mark.parametrize("counter", ["epoch", "global"])
def test_under_sgd_it_is_algorithm_1(beta, counter):
    a1, a2, lr = 1.0, 0.2, 0.1
    theta, optimiser = started(lr=lr)
    stepper = MirrorGradient(optimiser, a1, a2, beta, counter)
    reference = theta.detach().clone()
    t = 0
    for _epoch in range(2):
        stepper.start_epoch()
        for index in range(5):
            t += 1
            stepper.step(quadratic(H, theta))
            if (index if counter == "epoch" else t) % beta == 0:
                middle = reference - a1 * lr * H * reference
                reference = middle + a2 * lr * H * middle
            else:
                reference = reference - lr * H * reference
    torch.testing.assert_close(theta.detach(), reference, rtol=1e-13, atol=0)


def test_under_adam_it_is_the_released_two_steps():
    theta = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    other = torch.nn.Parameter(theta.detach().clone())
    stepper = MirrorGradient(GuardedOptimiser(torch.optim.Adam([theta], lr=0.01)), 1.0, 0.2, 3)
    adam = torch.optim.Adam([other], lr=0.01)
    for _epoch in range(2):
        stepper.start_epoch()
        for batch_index in range(7):
            stepper.step(quadratic(H, theta))
            for scale in (1.0, -0.2) if batch_index % 3 == 0 else (1.0,):
                adam.zero_grad()
                (scale * 0.5 * (H * other**2).sum()).backward()
                adam.step()
    torch.testing.assert_close(theta.detach(), other.detach(), rtol=1e-12, atol=0)


def test_around_sam_both_halves_take_sams_gradient():
    theta, optimiser = started()
    expected = theta.detach().clone()
    stepper = MirrorGradientConfig(alpha2=0.3, beta=2, around=SAMConfig(rho=0.1)).build(optimiser)

    def sam_gradient(weights):
        gradient = H * weights
        return H * (weights + 0.1 * gradient / gradient.norm())

    for batch_index in range(4):
        n_calls = [0]
        clean = quadratic(H, theta)

        def counted(clean=clean, n_calls=n_calls):
            n_calls[0] += 1
            return clean()

        assert stepper.gradients_ahead() == (4 if batch_index % 2 == 0 else 2)
        ahead = stepper.gradients_ahead()
        stepper.step(counted)
        assert n_calls[0] == ahead
        expected = expected - 0.1 * sam_gradient(expected)
        if batch_index % 2 == 0:
            expected = expected + 0.3 * 0.1 * sam_gradient(expected)
    torch.testing.assert_close(theta.detach(), expected, rtol=1e-13, atol=0)


def test_with_alpha2_zero_and_alpha1_one_it_is_plain_bit_for_bit():
    theta, optimiser = started()
    other, plain_optimiser = started()
    mirror = MirrorGradient(optimiser, 1.0, 0.0, 2)
    plain = Plain(plain_optimiser)
    for _ in range(6):
        mirror.step(quadratic(H, theta))
        plain.step(quadratic(H, other))
    assert torch.equal(theta, other)


def test_its_state_carries_the_counter_on():
    theta, optimiser = started()
    stepper = MirrorGradient(optimiser, 1.0, 0.2, 3, "global")
    for _ in range(4):
        stepper.step(quadratic(H, theta))
    fresh = MirrorGradient(optimiser, 1.0, 0.2, 3, "global")
    fresh.load_state_dict(stepper.state_dict())
    assert fresh.batches == 4


def test_a_clip_norm_bounds_what_the_optimiser_sees():
    theta, optimiser = started(lr=1.0, clip_norm=0.1)
    before = theta.detach().clone()
    Plain(optimiser).step(quadratic(H, theta))
    moved = torch.linalg.vector_norm(theta.detach() - before)
    assert float(moved) == pytest.approx(0.1)


def test_clipping_as_released_leaves_only_the_first_half_of_a_mirror_step_unclipped():
    """The released trainer: clip_grad_norm_ stands before the last optimiser step of each batch."""
    theta, optimiser = started(lr=0.1, clip_norm=0.5)
    stepper = MirrorGradient(optimiser, 1.0, 0.2, 3, clip="second")
    other = torch.nn.Parameter(theta.detach().clone())
    sgd = torch.optim.SGD([other], lr=0.1)

    def backward(scale):
        sgd.zero_grad()
        (scale * 0.5 * (H * other**2).sum()).backward()

    for batch_index in range(7):
        stepper.step(quadratic(H, theta))
        backward(1.0)
        if batch_index % 3 == 0:
            sgd.step()
            backward(-0.2)
        torch.nn.utils.clip_grad_norm_([other], 0.5)
        sgd.step()
    torch.testing.assert_close(theta.detach(), other.detach(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_non_finite_gradient_moves_nothing(bad):
    theta, optimiser = started()
    before = theta.detach().clone()
    theta.grad = torch.tensor([0.0, bad, 0.0], dtype=torch.float64)
    with pytest.raises(NonFiniteError):
        optimiser.apply()
    assert torch.equal(theta.detach(), before)


STEPPERS = [
    PlainConfig(),
    MirrorGradientConfig(beta=1),
    SAMConfig(),
    ASAMConfig(),
    GradientNormConfig(),
    MirrorGradientConfig(beta=1, around=SAMConfig()),
]


@pytest.mark.parametrize("config", STEPPERS, ids=str)
@pytest.mark.parametrize("at_call", [1, 2])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_gradient_that_is_not_finite_moves_nothing_at_any_call(config, at_call, clip_norm):
    """Plain steps ask for one gradient, the others for a second one somewhere else."""
    theta, optimiser = started(clip_norm=clip_norm)
    before, calls, where = theta.detach().clone(), [0], []
    clean = quadratic(H, theta)

    def closure():
        loss = clean()
        calls[0] += 1
        where.append(theta.detach().clone())
        if calls[0] == at_call:
            theta.grad[1] = torch.nan
        return loss

    stepper = config.build(optimiser)
    if at_call > stepper.gradients_ahead():
        stepper.step(closure)
        assert calls[0] == 1
        return
    with pytest.raises(NonFiniteError):
        stepper.step(closure)
    is_mirrored = config == MirrorGradientConfig(beta=1) and at_call == 2
    # Mirror Gradient's first half-step stands: a finite gradient made it.
    assert torch.equal(theta.detach(), where[1] if is_mirrored else before)


@pytest.mark.parametrize("config", STEPPERS, ids=lambda config: config.name)
@pytest.mark.parametrize("at_call", [1, 2])
def test_a_loss_that_is_not_finite_ends_a_run_with_weights_that_are(
    tiny, monkeypatch, config, at_call
):
    """The loss is spoilt in the second epoch's first step, at its first or second gradient."""
    changes = {"epochs": 4, "batch_size": 128, "device": "cpu", "model.width": 4}
    trainer = Trainer(tiny, preset("plain", changes).model_copy(update={"stepper": config}),
                      MemoryRecorder())  # fmt: skip
    real, calls = Objective.__call__, [0]

    def spoilt(objective, *inputs):
        loss = real(objective, *inputs)
        if trainer.state.epoch == 1:
            calls[0] += 1
            loss = loss * torch.nan if calls[0] == at_call else loss
        return loss

    monkeypatch.setattr(Objective, "__call__", spoilt)
    assert train_until_done(trainer, silent) == "diverged"
    assert trainer.best.epoch == 1
    first = fit(tiny, preset("plain", changes | {"epochs": 1}).model_copy(
        update={"stepper": config}))  # fmt: skip
    for one, two in zip(trainer.model.parameters(), first.model.parameters(), strict=True):
        assert torch.equal(one, two)
    (event,) = [e for e in trainer.recorder.events if e["kind"] == "diverged"]
    assert event == {"kind": "diverged", "epoch": 2, "reason": "the loss is nan"}
