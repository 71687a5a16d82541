"""Flatness measures: what they measure, on any model and however small the data."""

import numpy as np
import pytest
import torch

from engine.data import synthetic
from engine.geometry import MEASURES, CurvatureConfig, frozen_triples, in_table_order, title_of
from engine.geometry.curvature import curvature
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.factor_eigenvalues import balanced_factors
from engine.geometry.curvature.measures.input_sharpness import input_gradients
from engine.geometry.curvature.neighbourhood import Neighbourhood


def measured(run, name, **settings):
    point = MeasurementPoint(run, CurvatureConfig(n_triples=200).changed(settings))
    return MEASURES[name].values(point)[name]


def test_balanced_factors_keep_scores_and_forget_any_change_of_basis():
    draws = torch.Generator().manual_seed(0)
    users, items, mixing = (
        torch.randn(n, 4, generator=draws, dtype=torch.float64) for n in (30, 20, 4)
    )
    first = balanced_factors(users, items)
    second = balanced_factors(users @ mixing, items @ torch.linalg.inv(mixing).T)
    torch.testing.assert_close(first[0] @ first[1].T, users @ items.T)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close((a**2).sum(0), (b**2).sum(0))
        torch.testing.assert_close(a.abs(), b.abs())
    torch.testing.assert_close(first[0].T @ first[0], first[1].T @ first[1])


@pytest.mark.parametrize(("n_users", "n_items"), [(3, 20), (20, 3), (3, 5)])
def test_fewer_users_or_items_than_width_are_balanced_too(n_users, n_items):
    draws = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, 8, generator=draws).double() for n in (n_users, n_items))
    balanced = balanced_factors(users, items)
    torch.testing.assert_close(balanced[0] @ balanced[1].T, users @ items.T)


def test_every_measure_is_defined_on_a_dozen_users(make_run, any_model):
    """Fewer users and items than the factors are wide."""
    data = synthetic(12, 6, 40, image_width=3, text_width=2, seed=1)
    run = make_run(any_model, "float32", dataset=data, **{"model.width": 16})
    result = curvature(run, CurvatureConfig(gauss_newton=True))
    defined = {name for name in MEASURES if name in result.measures}
    missing = set(MEASURES) - defined - {"input_sharpness"}
    assert all(np.isfinite(value) for value in result.measures.values())
    if result.temperature is None:
        assert all("invariant" in name for name in missing)
        assert "No temperature" in result.caption
    else:
        assert not missing - {"eigenvalue_ratio"}
        assert result.invariant_rank <= 5


def test_the_gradient_is_autograds(make_run, any_model, loss_of):
    run = make_run(any_model)
    triples = frozen_triples(run.dataset, 100)
    near = Neighbourhood(run, triples)
    step = 0.1 * torch.randn(near.space.size, dtype=torch.float64)
    with torch.enable_grad():
        at = (near.origin_P + step).requires_grad_()
        loss = loss_of(run, triples, near.space.theta(at))
        (wanted,) = torch.autograd.grad(loss, at)
    torch.testing.assert_close(near.gradient(step), wanted)
    assert near.loss(step) == pytest.approx(float(loss.detach()))


def test_worst_losses_are_above_the_loss_grow_with_the_ball_and_beat_random_steps(make_run):
    run = make_run()
    near = Neighbourhood(run, frozen_triples(run.dataset, 200))
    small, large = (measured(run, "ball_sharpness", rho=rho).value for rho in (0.05, 0.2))
    assert 0 < small < large
    for seed in range(5):
        step = torch.randn(near.space.size, generator=torch.Generator().manual_seed(seed)).double()
        assert near.loss(0.2 * step / step.norm()) - near.centre < large
    assert measured(run, "box_sharpness").value > 0
    assert measured(run, "adaptive_sharpness").value > 0


def test_noise_measures_carry_their_standard_error(make_run):
    run = make_run()
    few, many = (measured(run, "noise_sharpness", sigma=0.1, n_draws=n) for n in (10, 200))
    assert 0 < many.standard_error < few.standard_error
    assert abs(few.value - many.value) < 4 * np.hypot(few.standard_error, many.standard_error)
    result = curvature(run, CurvatureConfig(n_triples=200))
    table = result.to_frame().set_index("measure")
    assert table.loc["noise_sharpness", "standard_error"] > 0
    assert np.isnan(table.loc["top_eigenvalue", "standard_error"])


def test_input_gradients_are_those_of_the_loss_by_the_features(make_run, loss_of):
    run = make_run()
    triples = frozen_triples(run.dataset, 30)
    found = input_gradients(run, triples)
    leaves = {m: x.clone().requires_grad_() for m, x in run.features.items()}
    with torch.enable_grad():
        loss = loss_of(run, triples, features=leaves)
        wanted = torch.autograd.grad(loss, list(leaves.values()))
    for m, gradient in zip(leaves, wanted, strict=True):
        torch.testing.assert_close(found[m], gradient)
    named = torch.cat([triples.positives, triples.negatives]).unique()
    unnamed = np.setdiff1d(np.arange(40), named.numpy())
    assert (found["image"][torch.from_numpy(unnamed)] == 0).all()


def test_input_gradients_at_a_temperature_are_those_of_the_multiplied_scores(make_run, any_model):
    run = make_run(any_model)
    triples = frozen_triples(run.dataset, 30)
    found = input_gradients(run, triples, temperature=2.5)
    leaves = {m: run.features[m].clone().requires_grad_() for m in run.model.modalities}
    with torch.enable_grad():
        users, items = run.model(leaves)
        scores = 2.5 * users @ items.T
        gaps = scores[triples.users, triples.positives] - scores[triples.users, triples.negatives]
        loss = torch.nn.functional.softplus(-gaps).mean()
        wanted = torch.autograd.grad(loss, list(leaves.values())) if leaves else ()
    for m, gradient in zip(leaves, wanted, strict=True):
        torch.testing.assert_close(found[m], gradient)


def test_names_of_values_are_ordered_and_titled_by_the_table():
    names = ["trace", "label", "input_sharpness_audio", "invariant_top_eigenvalue"]
    ordered = ["invariant_top_eigenvalue", "input_sharpness_audio", "trace"]
    assert in_table_order(names) == ordered
    assert title_of("input_sharpness_audio") == "input sharpness, audio"
    assert title_of("clean_accuracy") == "clean accuracy"
