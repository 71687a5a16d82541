"""SAM, ASAM, the gradient-norm penalty and weight averages against closed forms."""

import statistics

import numpy as np
import pytest
import torch

from engine.models import VBPRConfig, build_model
from engine.training import GuardedOptimiser, MemoryRecorder, MirrorGradient, fit, preset
from engine.training.stepping.averaging import EMAConfig, SWAConfig
from engine.training.stepping.schedules import LearningRates, ScheduleConfig
from engine.training.stepping.sharpness_aware import NeighbourGradient

LR = 0.1
H = torch.tensor([[2.0, 0.3, 0.0], [0.3, 1.0, 0.2], [0.0, 0.2, 4.0]], dtype=torch.float64)
START = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
QUICK = {"epochs": 6, "batch_size": 128, "device": "cpu", "model.width": 8}


def one_step(make, lr=LR):
    """Theta after one step of the stepper on 0.5 theta' H theta under SGD."""
    theta = torch.nn.Parameter(START.clone())

    def closure():
        theta.grad = None
        loss = 0.5 * theta @ H @ theta
        loss.backward()
        return loss.detach()

    make(GuardedOptimiser(torch.optim.SGD([theta], lr=lr))).step(closure)
    return theta.detach()


def test_sam_steps_with_the_gradient_at_rho_uphill():
    g = H @ START
    expected = START - LR * H @ (START + 0.05 * g / g.norm())
    weights = one_step(lambda optimiser: NeighbourGradient(optimiser, 0.05))
    torch.testing.assert_close(weights, expected, rtol=1e-13, atol=0)


def test_asam_scales_the_neighbourhood_with_each_weight():
    g = H @ START
    t = START.abs() + 0.01
    expected = START - LR * H @ (START + 0.5 * t**2 * g / (t * g).norm())
    weights = one_step(lambda optimiser: NeighbourGradient(optimiser, 0.5, eta=0.01))
    torch.testing.assert_close(weights, expected, rtol=1e-13, atol=0)


def test_the_gradient_norm_penalty_is_the_gradient_of_the_penalised_loss():
    theta = START.clone().requires_grad_()
    penalised = 0.5 * theta @ H @ theta + 0.3 * (H @ theta).norm()
    (gradient,) = torch.autograd.grad(penalised, theta)
    weights = one_step(lambda optimiser: NeighbourGradient(optimiser, 0.05, share=0.3 / 0.05))
    torch.testing.assert_close(weights, START - LR * gradient, rtol=1e-10, atol=0)


def test_mirror_gradient_is_an_implicit_gradient_norm_penalty_to_second_order():
    # theta_new ~ theta - (a1-a2) lr g - a1 a2 lr^2 H g, which for small lr is what remains.
    a1, a2, lr = 1.0, 0.3, 1e-4
    g = H @ START
    expected = START - (a1 - a2) * lr * g - a1 * a2 * lr**2 * H @ g
    weights = one_step(lambda optimiser: MirrorGradient(optimiser, a1, a2, 1), lr=lr)
    torch.testing.assert_close(weights, expected, rtol=1e-13, atol=0)


def test_a_look_around_puts_the_weights_back_exactly():
    theta = torch.nn.Parameter(torch.randn(1000, generator=torch.Generator().manual_seed(0)))
    before = theta.detach().clone()

    def closure():
        theta.grad = torch.ones_like(theta)
        return torch.zeros(())

    NeighbourGradient(GuardedOptimiser(torch.optim.SGD([theta], lr=0.0)), 0.37).step(closure)
    assert torch.equal(theta.detach(), before)


@pytest.fixture
def wandering(tiny):
    """A model and a function that moves it to the k-th of five random places."""
    model = build_model(VBPRConfig(width=4), tiny, seed=0)
    generator = torch.Generator().manual_seed(1)
    places = [
        {n: torch.randn(p.shape, generator=generator) for n, p in model.named_parameters()}
        for _ in range(5)
    ]
    return model, places


def test_swa_is_the_mean_of_the_weights_from_its_start(wandering):
    model, places = wandering
    average = SWAConfig(start_epoch=2, every=2).build()
    for epoch, place in enumerate(places, start=1):
        model.load_theta(place)
        average.after_epoch(model, epoch)
    for name, mean in average.theta.items():
        torch.testing.assert_close(mean, (places[1][name] + places[3][name]) / 2)


def test_ema_weighs_each_step_as_written(wandering):
    model, places = wandering
    average = EMAConfig(decay=0.5).build()
    expected = places[0]["users"]
    for count, place in enumerate(places):
        model.load_theta(place)
        average.after_step(model)
        if count:
            decay = min(0.5, (1 + count) / (10 + count))
            expected = decay * expected + (1 - decay) * place["users"]
    torch.testing.assert_close(average.theta["users"], expected)


def test_what_is_judged_and_kept_is_the_average(tiny):
    config = preset("swa", QUICK | {"averaging.start_epoch": 3, "patience": 6})
    recorder = MemoryRecorder()
    kept = fit(tiny, config, recorder)
    assert kept.best_epoch >= 1
    plain = [fit(tiny, preset("plain", QUICK | {"epochs": e, "patience": 6})) for e in range(1, 7)]
    history = {e["epoch"]: e["valid_recall@20"] for e in recorder.events if e["kind"] == "epoch"}
    assert history[1] == pytest.approx(plain[0].valid["recall@20"])
    assert max(history.values()) == kept.valid["recall@20"]


def test_compute_matched_training_uses_exactly_the_passes_it_was_given(tiny):
    mirrored = fit(tiny, preset("mg", QUICK))
    matched = fit(
        tiny, preset("plain", QUICK | {"match_gradient_passes": mirrored.gradient_passes})
    )
    assert matched.gradient_passes == mirrored.gradient_passes
    assert mirrored.gradient_passes > fit(tiny, preset("plain", QUICK)).gradient_passes


@pytest.mark.parametrize(
    ("name", "passes"), [("plain", 1), ("sam", 2), ("amr", 2), ("pgd", 4), ("apr", 2)]
)
def test_every_strategy_counts_its_gradient_passes(tiny, name, passes):
    changes = QUICK | {"epochs": 3}
    adversary = preset(name).objective.adversary
    if adversary is not None:
        changes |= {"objective.adversary.warm_start_epochs": 0}
    steps = 3 * -(-len(tiny.train) // 128)
    assert fit(tiny, preset(name, changes)).gradient_passes == passes * steps


def test_a_schedule_warms_up_and_decays_to_its_end():
    config = ScheduleConfig(decay="cosine", warmup_epochs=2, final_share=0.1)
    factors = [config.factor(e, 10) for e in (0.5, 1, 2, 6, 10)]
    np.testing.assert_allclose(factors, [0.25, 0.5, 1.0, 0.55, 0.1])
    linear = ScheduleConfig(decay="linear")
    np.testing.assert_allclose([linear.factor(e, 10) for e in (0, 5, 10)], [1, 0.5, 0])
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    LearningRates(config, optimiser).set(1, 10)
    assert optimiser.param_groups[0]["lr"] == 1.0


def ascents(dataset, **changes):
    recorder = MemoryRecorder()
    fit(dataset, preset("mg", QUICK | {"epochs": 2} | changes), recorder)
    epochs = [e for e in recorder.events if e["kind"] == "epoch"]
    return [[e[name] for e in epochs] for name in ("ascent_cosine", "share_uphill")]


def test_under_sgd_the_second_half_step_goes_straight_uphill(tiny):
    cosines, shares = ascents(tiny, optimiser="sgd")
    assert cosines == pytest.approx([1.0, 1.0], abs=1e-4)
    assert shares == [1.0, 1.0]


def test_under_adam_the_second_half_step_is_mostly_another_descent(tiny):
    cosines, shares = ascents(tiny)
    assert all(-1 <= cosine < 0 for cosine in cosines)
    assert all(0 <= share < 0.5 for share in shares)


def test_the_ascent_is_measured_against_the_gradient_it_was_made_of():
    theta = torch.nn.Parameter(START.clone())
    optimiser = torch.optim.SGD([theta], lr=LR, momentum=0.9)
    stepper = MirrorGradient(GuardedOptimiser(optimiser), 1.0, 0.2, 1)
    half_way = START - LR * H @ START
    uphill = H @ half_way
    move = -LR * (0.9 * H @ START - 0.2 * uphill)  # the momentum of the descent carries on

    def closure():
        theta.grad = H @ theta.detach()
        return torch.zeros(())

    stepper.step(closure)
    cosine = float(move @ uphill / (move.norm() * uphill.norm()))
    assert stepper.ascent["ascent_cosine"] == pytest.approx(cosine)
    assert stepper.ascent["share_uphill"] == pytest.approx(float((move * uphill > 0).sum()) / 3)


def test_pooled_negatives_train_as_well(tiny):
    pooled = fit(tiny, preset("plain", QUICK | {"epochs": 20, "negative_pool": 16}))
    plain = fit(tiny, preset("plain", QUICK | {"epochs": 20}))
    assert pooled.valid["recall@20"] == pytest.approx(plain.valid["recall@20"], abs=0.08)


def test_features_kept_in_bfloat16_train_as_well_and_are_judged_in_float32(tiny):
    recalls = {}
    for precision in ("bfloat16", "same"):
        changes = QUICK | {"epochs": 20, "feature_precision": precision}
        fits = [fit(tiny, preset("plain", changes | {"seed": seed})) for seed in range(3)]
        recalls[precision] = [one.valid["recall@20"] for one in fits]
        assert {x.dtype for one in fits for x in one.features.values()} == {torch.float32}
    spread = max(recalls["same"]) - min(recalls["same"])
    assert spread > 0
    assert abs(statistics.mean(recalls["bfloat16"]) - statistics.mean(recalls["same"])) <= spread
