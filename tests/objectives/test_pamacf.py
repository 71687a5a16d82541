"""PamaCF against the released code's rule, written with autograd of each triple by itself."""

import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.foundation.errors import ConfigError
from engine.models import BM3Config, BPRMFConfig, VBPRConfig, build_model
from engine.objectives import Objective, ObjectiveConfig, PamaCFConfig, Triples


def bound(dataset, config, model_config):
    model = build_model(model_config, dataset, seed=1).double()
    with torch.no_grad():  # users of quite different lengths
        model.users.mul_(torch.linspace(0.2, 4.0, dataset.n_users)[:, None])
    features = load_features(
        dataset, model.modalities, FeatureConfig(), torch.device("cpu"), torch.float64
    )
    objective = Objective(ObjectiveConfig(adversary=config), model, features)
    triples = Triples(
        torch.tensor(dataset.train.users[:200]),
        torch.tensor(dataset.train.items[:200]),
        torch.randint(0, dataset.n_items, (200,), generator=torch.Generator().manual_seed(0)),
    )
    return model, objective, objective.start(model, triples, features, torch.Generator())


def released(step, epsilon, spread):
    """The adversarial loss: rows gathered for each triple, each perturbed by its own gradient."""
    rows = [
        r.detach().requires_grad_()
        for r in (step.users, step.items[step.batch.positive_rows],
                  step.items[step.batch.negative_rows])
    ]  # fmt: skip

    def loss(users, positives, negatives):
        margins = (users * positives).sum(1) - (users * negatives).sum(1)
        return torch.nn.functional.softplus(-margins).mean()

    gradients = torch.autograd.grad(loss(*rows), rows)
    weight = rows[0].detach().norm(dim=1).pow(2)
    lengths = epsilon * spread * torch.sigmoid(weight / (weight.mean() + 1e-9) - 1)
    moved = [
        row.detach() + torch.nn.functional.normalize(g, dim=1) * lengths[:, None]
        for row, g in zip(rows, gradients, strict=True)
    ]
    return loss(*moved)


@pytest.mark.parametrize("model_config", [BPRMFConfig(width=8), VBPRConfig(width=8)])
def test_the_term_is_the_released_one(tiny, model_config):
    config = PamaCFConfig(epsilon=0.4, spread=1.5)
    _, objective, step = bound(tiny, config, model_config)
    expected = released(step, 0.4, 1.5)
    torch.testing.assert_close(objective.adversary.term(step), expected, rtol=1e-7, atol=0)
    assert float(expected.detach()) > float(step.clean.detach())


def test_its_gradient_holds_the_perturbation_constant(tiny):
    model, objective, step = bound(tiny, PamaCFConfig(), BPRMFConfig(width=8))
    gap = objective.adversary.item_gap(step)
    users, items = objective.adversary.perturbation(step.users.detach(), gap.detach())
    margins = ((step.users + users) * (gap + items)).sum(dim=1)
    expected = torch.autograd.grad(
        torch.nn.functional.softplus(-margins).mean(), model.users, retain_graph=True
    )
    actual = torch.autograd.grad(objective.adversary.term(step), model.users)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


def test_a_model_without_a_ranking_loss_is_refused(tiny):
    with pytest.raises(ConfigError, match="which BM3 does not minimise; choose apr"):
        bound(tiny, PamaCFConfig(), BM3Config(width=8))
