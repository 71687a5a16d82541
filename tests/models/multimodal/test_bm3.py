"""BM3 against the paper's equations, pair by pair, and its gradient with the targets held."""

import pytest
import torch

from engine.models import BM3Config
from engine.models.parts.contrastive import dropped_out


def slow_online(model, graph, n_layers):
    degrees = graph.sum(dim=1)
    scale = torch.diag(torch.where(degrees > 0, degrees.clamp_min(1) ** -0.5, 0.0))
    layers = [torch.cat([model.users, model.items])]
    for _ in range(n_layers):
        layers.append(scale @ graph @ scale @ layers[-1])
    mean = torch.stack(layers).mean(dim=0)
    return mean[: model.n_users], mean[model.n_users :] + model.items


def cosine(a, b):
    return torch.dot(a, b) / (a.norm() * b.norm())


def slow_loss(model, features, triples, online, held):
    """The paper's loss, targets read off ``held`` (users, items, projected by modality)."""
    users, items = online

    def predict(row):
        return model.predictor @ row + model.predictor_bias

    total = 0.0
    for u, i in zip(triples.users.tolist(), triples.positives.tolist(), strict=True):
        total += 1 - cosine(predict(users[u]), held[0][i])
        total += 1 - cosine(predict(items[i]), held[1][u])
        for m, x in features.items():
            projected = model.projection[m] @ x[i] + model.projection_bias[m]
            total += 2.0 * (1 - cosine(predict(projected), held[0][i]))
            total += 2.0 * (1 - cosine(predict(projected), held[2][m][i]))
    return total / len(triples)


def held_constant(model, features, online):
    projected = {
        m: x @ model.projection[m].T + model.projection_bias[m] for m, x in features.items()
    }
    projected = {m: p.detach().clone() for m, p in projected.items()}
    return online[1].detach().clone(), online[0].detach().clone(), projected


@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_loss_and_its_gradient_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised, n_layers
):
    model, features = made(BM3Config(width=6, dropout=0.0, n_layers=n_layers))
    found = unpenalised(model, features)(model, triples, features, torch.Generator())
    online = slow_online(model, dense_graph, n_layers)
    slow = slow_loss(model, features, triples, online, held_constant(model, features, online))
    # The interaction graph is kept in float32.
    torch.testing.assert_close(found, slow, rtol=1e-6, atol=1e-8)
    parameters = list(model.parameters())
    for one, two in zip(
        torch.autograd.grad(found, parameters), torch.autograd.grad(slow, parameters), strict=True
    ):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-8)


def test_factors_are_the_predictors_output(made, dense_graph):
    model, features = made(BM3Config(width=6))
    for found, rows in zip(model(features), slow_online(model, dense_graph, 1), strict=True):
        expected = rows @ model.predictor.T + model.predictor_bias
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def test_negatives_play_no_part(made, triples, unpenalised):
    model, features = made(BM3Config(width=6, dropout=0.0))
    objective = unpenalised(model, features)
    others = type(triples)(triples.users, triples.positives, triples.negatives.flip(0))
    one, two = (objective(model, t, features, torch.Generator()) for t in (triples, others))
    torch.testing.assert_close(one, two, rtol=1e-12, atol=0)


def test_targets_drop_their_share_keep_their_mean_and_follow_the_generator():
    rows = torch.ones(400, 50, dtype=torch.float64)
    one, again = (dropped_out(rows, 0.3, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, again)
    assert float((one == 0).double().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(one.mean()) == pytest.approx(1.0, abs=0.02)


def test_scores_see_no_features_and_say_so_by_a_zero_gradient(made):
    model, features = made(BM3Config(width=6))
    leaves = {m: x.clone().requires_grad_() for m, x in features.items()}
    users, items = model(leaves)
    torch.testing.assert_close(items, model({m: x * 2 for m, x in features.items()})[1])
    gradients = torch.autograd.grad((users.sum() * items).sum(), list(leaves.values()))
    assert all((gradient == 0).all() for gradient in gradients)
