"""Hessian products by both paths against the dense Hessian, in float64."""

import functools

import pytest
import torch

from engine.data import synthetic
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian
from engine.geometry.curvature.hessian.gathered_hessian import GatheredHessian
from engine.geometry.ranking_loss import LossModule
from engine.geometry.theta import ThetaSpace, blocks_of, theta_of
from engine.geometry.triples import frozen_triples


def dense_hessian(run, triples, loss_of, block=None):
    """The Hessian [P, P] and gradient [P] by autograd on the flat vector: slow and obvious."""
    space = ThetaSpace.of(run.model, block)
    fixed = theta_of(run)

    def loss(vector):
        return loss_of(run, triples, fixed | space.theta(vector))

    at = space.vector(fixed).clone()
    with torch.enable_grad():
        hessian = torch.autograd.functional.hessian(loss, at)
        gradient = torch.autograd.functional.jacobian(loss, at)
    return hessian, gradient


def applied(curved):
    """An operator as a dense matrix."""
    eye = torch.eye(curved.space.size, dtype=torch.float64)
    return torch.stack([curved.product(e) for e in eye])


@pytest.fixture
def make_small_run(make_run, few):
    return functools.partial(make_run, dataset=few)


@pytest.fixture
def triples(few):
    return frozen_triples(few)


def test_both_paths_equal_the_dense_hessian(make_small_run, any_model, triples, loss_of):
    run = make_small_run(any_model)
    hessian, gradient = dense_hessian(run, triples, loss_of)
    for curved in (FactorHessian(run, triples), GatheredHessian(run, triples, batch=16)):
        torch.testing.assert_close(curved.gradient(), gradient, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(applied(curved), hessian, rtol=1e-9, atol=1e-12)
        assert curved.loss() == pytest.approx(float(loss_of(run, triples)), rel=1e-12)
        assert curved.n_products == curved.space.size


def test_each_block_is_its_part_of_the_hessian(make_small_run, any_model, triples, loss_of):
    run = make_small_run(any_model)
    for block in blocks_of(run.model):
        hessian, gradient = dense_hessian(run, triples, loss_of, block)
        for curved in (
            FactorHessian(run, triples, block),
            GatheredHessian(run, triples, "ranking", block),
        ):
            torch.testing.assert_close(curved.gradient(), gradient, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(applied(curved), hessian, rtol=1e-9, atol=1e-12)


def test_products_are_symmetric(make_small_run, any_model, triples):
    run = make_small_run(any_model)
    curved = FactorHessian(run, triples)
    u, v = torch.randn(2, curved.space.size, dtype=torch.float64)
    torch.testing.assert_close(u @ curved.product(v), v @ curved.product(u), rtol=1e-9, atol=1e-12)


def test_gauss_newton_is_the_margins_part(make_small_run, any_model, triples):
    run = make_small_run(any_model)
    curved = FactorHessian(run, triples, gauss_newton=True)
    fixed = theta_of(run)

    def margins(vector):
        users, items = torch.func.functional_call(
            run.model, curved.space.theta(vector), (run.features,)
        )
        scores = users @ items.T
        return scores[triples.users, triples.positives] - scores[triples.users, triples.negatives]

    at = curved.space.vector(fixed)
    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(margins, at)
    p = torch.sigmoid(margins(at))
    wanted = jacobian.T @ ((p * (1 - p) / len(triples))[:, None] * jacobian)
    torch.testing.assert_close(applied(curved), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "settings", [{}, *({"objective.adversary": name} for name in ("amr", "apr", "pgd"))]
)
def test_the_runs_own_objective_has_a_symmetric_hessian_of_its_gradient(
    make_small_run, triples, settings
):
    run = make_small_run("vbpr", **settings, **({"epochs": 30} if settings else {}))
    curved = GatheredHessian(run, triples, "objective")
    assert curved.loss() > FactorHessian(run, triples).loss()
    u, v = torch.randn(2, curved.space.size, dtype=torch.float64)
    torch.testing.assert_close(u @ curved.product(v), v @ curved.product(u), rtol=1e-8, atol=1e-10)


def test_the_runs_own_objective_has_the_dense_hessian_with_all_declared_terms(
    make_small_run, any_model, triples
):
    run = make_small_run(any_model)
    curved = GatheredHessian(run, triples, "objective")
    module = LossModule(run, "objective")

    def loss(vector):
        theta = {f"model.{name}": t for name, t in curved.space.theta(vector).items()}
        return torch.func.functional_call(module, theta, (triples,))

    at = curved.space.vector(theta_of(run)).clone()
    with torch.enable_grad():
        hessian = torch.autograd.functional.hessian(loss, at)
        gradient = torch.autograd.functional.jacobian(loss, at)
    torch.testing.assert_close(curved.gradient(), gradient, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(applied(curved), hessian, rtol=1e-9, atol=1e-11)
    eye = torch.eye(curved.space.size, dtype=torch.float64)
    ranking = torch.stack([GatheredHessian(run, triples).product(e) for e in eye[:3]])
    assert not torch.allclose(hessian[:3], ranking)  # the terms bend it too


def test_the_regularised_objective_agrees_with_finite_differences(make_small_run, triples):
    run = make_small_run("vbpr")
    curved = GatheredHessian(run, triples, "objective")
    v = torch.randn(curved.space.size, dtype=torch.float64)
    step = 1e-5
    gradients = []
    for sign in (1, -1):
        moved = make_small_run("vbpr")
        at = curved.space.vector(theta_of(run)) + sign * step * v
        moved.model.load_theta(curved.space.theta(at))
        gradients.append(GatheredHessian(moved, triples, "objective").gradient())
    wanted = (gradients[0] - gradients[1]) / (2 * step)
    torch.testing.assert_close(curved.product(v), wanted, rtol=1e-5, atol=1e-7)


def test_repeated_triples_count_as_often_as_they_occur(make_small_run, few, loss_of):
    from engine.objectives import Triples

    run = make_small_run("bpr-mf")
    few = frozen_triples(few, 5)
    doubled = Triples(*(torch.cat([x, x[:2]]) for x in (few.users, few.positives, few.negatives)))
    hessian, _ = dense_hessian(run, doubled, loss_of)
    torch.testing.assert_close(applied(FactorHessian(run, doubled)), hessian)


def test_the_objective_has_products_for_features_of_any_width(make_run):
    # Wide enough that training projects the batch's rows in several blocks.
    data = synthetic(40, 60, 400, image_width=20_000, text_width=2, seed=1)
    run = make_run("vbpr", "float32", dataset=data)
    curved = GatheredHessian(run, frozen_triples(data), "objective")
    u, v = torch.randn(2, curved.space.size, generator=torch.Generator().manual_seed(0))
    assert float(u @ curved.product(v)) == pytest.approx(float(v @ curved.product(u)), rel=1e-3)
