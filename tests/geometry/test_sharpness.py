"""Flatness measures: what they measure, and which of them a rescaling moves."""

import functools

import numpy as np
import pytest
import torch

from engine.foundation.errors import ConfigError
from engine.geometry import (
    MEASURES,
    ScaleSymmetry,
    ScaleSymmetryConfig,
    frozen_triples,
    rescaled,
    scale_symmetry,
)
from engine.geometry.curvature.hessian.lanczos import extreme_eigenpairs
from engine.geometry.curvature.neighbourhood import (
    Neighbourhood,
    adaptive_sharpness,
    balanced_factors,
    ball_sharpness,
    box_sharpness,
    input_gradients,
    noise_sharpness,
)


@pytest.mark.parametrize("model", ["vbpr", "bpr-mf"])
def test_raw_measures_move_under_rescaling_and_their_companions_do_not(make_run, model):
    config = ScaleSymmetryConfig(factors=(3.0, 0.5), n_triples=200)
    found = scale_symmetry(make_run(model), config)
    assert found.factors_C.tolist() == [0.5, 1.0, 3.0]
    np.testing.assert_allclose(found.losses_C, found.losses_C[1], rtol=1e-5)
    assert found.score_changes_C.max() < 1e-5
    for name, values_C in zip(found.measures, found.values_MC, strict=True):
        if MEASURES[name].is_invariant:
            np.testing.assert_allclose(values_C, values_C[1], rtol=2e-3, err_msg=name)
        else:
            assert values_C.max() > 1.5 * values_C.min(), name


def test_the_demonstration_says_what_did_not_converge(make_run, monkeypatch):
    config = ScaleSymmetryConfig(factors=(1.0, 2.0), n_triples=100)
    assert "Not within" not in scale_symmetry(make_run(), config).caption
    few = functools.partial(extreme_eigenpairs, max_products=2)
    monkeypatch.setitem(scale_symmetry.__globals__, "extreme_eigenpairs", few)
    found = scale_symmetry(make_run(), config)
    assert found.unconverged == ["top_eigenvalue"]
    assert "Not within tolerance when the products ran out: top eigenvalue." in found.caption


def test_the_demonstration_is_kept_and_told_as_a_table(make_run, tmp_path):
    found = scale_symmetry(make_run(), ScaleSymmetryConfig(factors=(1.0, 2.0), n_triples=100))
    found.save(tmp_path / "symmetry.npz")
    again = ScaleSymmetry.load(tmp_path / "symmetry.npz").to_frame()
    assert len(again) == 2 * len(found.measures)
    assert (again.loc[again["c"] == 1.0, "times"] == 1.0).all()
    with pytest.raises(ConfigError, match="above 0"):
        ScaleSymmetryConfig.parse({"factors": [1.0, -2.0]})


def test_relative_noise_does_not_see_the_rescaling_and_absolute_noise_does(make_run):
    run = make_run()
    triples = frozen_triples(run.dataset, 200)
    near = [Neighbourhood(r, triples) for r in (run, rescaled(run, 3.0))]
    relative = [noise_sharpness(n, 0.1, 3, 0, relative=True) for n in near]
    absolute = [noise_sharpness(n, 0.1, 3, 0, relative=False) for n in near]
    assert relative[0] == pytest.approx(relative[1], rel=1e-6)
    assert abs(absolute[1] / absolute[0] - 1) > 0.3


@pytest.mark.parametrize("model", ["lightgcn", "freedom", "mmgcn", "bm3"])
def test_a_model_that_mixes_users_and_items_cannot_be_rescaled(make_run, model):
    with pytest.raises(ConfigError, match="mixes user and item"):
        rescaled(make_run(model), 2.0)


def test_factors_beyond_what_rounding_allows_are_refused():
    with pytest.raises(ConfigError, match=r"beyond 0\.0001 to 10000"):
        ScaleSymmetryConfig.parse({"factors": [1.0, 1e9]})


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
    small, large = ball_sharpness(near, 0.05), ball_sharpness(near, 0.2)
    assert 0 < small < large
    for seed in range(5):
        step = torch.randn(near.space.size, generator=torch.Generator().manual_seed(seed)).double()
        assert near.loss(0.2 * step / step.norm()) - near.centre < large
    assert box_sharpness(near, 1e-3) > 0
    assert adaptive_sharpness(near, 0.5) > 0


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
