"""Mirror Gradient against closed forms and a ten-line reference."""

import pytest
import torch

from engine.training import GuardedOptimiser, MirrorGradient, Plain
from engine.training.optimisers import NonFiniteError


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


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_non_finite_gradient_moves_nothing(bad):
    theta, optimiser = started()
    before = theta.detach().clone()
    theta.grad = torch.tensor([0.0, bad, 0.0], dtype=torch.float64)
    with pytest.raises(NonFiniteError):
        optimiser.apply()
    assert torch.equal(theta.detach(), before)
