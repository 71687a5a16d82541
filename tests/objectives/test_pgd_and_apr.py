"""PGD stays in its ball and beats one step; APR perturbs embeddings by its formula."""

import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.models import BPRMFConfig, VBPRConfig, build_model
from engine.objectives import AMRConfig, APRConfig, Objective, ObjectiveConfig, PGDConfig, Triples

CPU = torch.device("cpu")


def bound(dataset, adversary, model_config=None):
    model = build_model(model_config or VBPRConfig(width=8), dataset, seed=1).double()
    features = load_features(dataset, model.modalities, FeatureConfig(), CPU, torch.float64)
    objective = Objective(ObjectiveConfig(adversary=adversary), model, features)
    triples = Triples(
        torch.tensor(dataset.train.users[:200]),
        torch.tensor(dataset.train.items[:200]),
        torch.randint(0, dataset.n_items, (200,), generator=torch.Generator().manual_seed(0)),
    )
    return model, objective, objective.start(model, triples, features, torch.Generator())


def loss_at(model, step, deltas):
    moved = {m: x + deltas.get(m, 0) for m, x in step.batch.features.items()}
    factors = model.batch_factors(moved, step.batch.triples.users, step.batch.items)
    return float(step.loss(step.batch.margins(*factors)).detach())


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("unit", ["row_norm", "absolute"])
def test_pgd_stays_in_its_ball(tiny, norm, unit):
    config = PGDConfig(norm=norm, unit=unit, epsilon=0.4, steps=7, step_size=0.6)
    _, objective, step = bound(tiny, config)
    for m, delta in objective.adversary.perturbation(step).items():
        lengths = torch.linalg.vector_norm(step.batch.features[m], dim=1)
        width = delta.shape[1]
        radius = 0.4 * (lengths if unit == "row_norm" else torch.ones_like(lengths))
        if norm == "linf":
            found = delta.abs().amax(dim=1)
            radius = radius / width**0.5 if unit == "row_norm" else radius
        else:
            found = torch.linalg.vector_norm(delta, dim=1)
        assert (found <= radius * (1 + 1e-6)).all()
        assert (found > 0.5 * radius).all()


def test_pgd_beats_one_gradient_step_of_the_same_length(tiny):
    model, objective, step = bound(tiny, PGDConfig(epsilon=0.8, steps=20, step_size=0.2))
    several = loss_at(model, step, objective.adversary.perturbation(step))
    _, single, _ = bound(tiny, AMRConfig(epsilon=0.8))
    delta = single.adversary.perturbation(step)
    assert several >= loss_at(model, step, delta) > loss_at(model, step, {})


@pytest.mark.parametrize("form", ["concat", "sum"])
@pytest.mark.parametrize("modalities", [("image",), ("image", "text")])
def test_the_projected_route_equals_the_full_width_one_with_its_gradients(tiny, form, modalities):
    config = PGDConfig(epsilon=0.5, steps=4, modalities=modalities)
    model, objective, step = bound(tiny, config, VBPRConfig(width=8, form=form))
    parameters = list(model.parameters())
    fast = objective.adversary.projected_term(step, step.projected)
    slow = objective.adversary.full_width_term(step)
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=0)
    for one, two in zip(
        torch.autograd.grad(fast, parameters, retain_graph=True),
        torch.autograd.grad(slow, parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-13)


def test_apr_on_matrix_factorisation_is_the_papers_perturbation(tiny):
    model, objective, step = bound(tiny, APRConfig(epsilon=0.5), BPRMFConfig(width=6))
    user_delta, item_delta = objective.adversary.perturbation(step)
    triples = step.batch.triples
    p, q = model.users, model.items
    margins = (p[triples.users] * (q[triples.positives] - q[triples.negatives])).sum(1)
    tables = torch.autograd.grad(objective.ranking(margins), (p, q))
    normal = [0.5 * g / g.norm(dim=1, keepdim=True).clamp_min(1e-30) for g in tables]
    torch.testing.assert_close(user_delta, normal[0][triples.users], rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(item_delta, normal[1][step.batch.items], rtol=1e-8, atol=1e-12)


def test_apr_raises_the_loss(tiny):
    _, objective, step = bound(tiny, APRConfig(epsilon=0.5, weight=1.0))
    assert float(objective.adversary.term(step).detach()) > float(step.clean.detach())
