"""SelfCF against the paper's equations, pair by pair, and its gradient with the targets held."""

import torch

from engine.models.collaborative.selfcf import SelfCFConfig
from tests.support.dense_models import dense, layers, symmetric


def cosine(a, b):
    return a @ b / (a.norm() * b.norm())


def slow_mean(model, graph, n_layers):
    start = torch.cat([model.users, model.items])
    return sum(layers(symmetric(graph), start, n_layers)) / (n_layers + 1)


def test_scores_add_up_both_predictions(made, dense_graph):
    model, features = made(SelfCFConfig(width=6))
    mean = slow_mean(model, dense_graph, 2)
    predicted = dense(model.predictor, mean)
    n = model.n_users
    slow = predicted[:n] @ mean[n:].T + mean[:n] @ predicted[n:].T
    users, items = model(features)
    torch.testing.assert_close(users @ items.T, slow, rtol=1e-6, atol=1e-7)


def test_the_loss_and_its_gradient_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    model, features = made(SelfCFConfig(width=6, dropout=0.0))
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    mean = slow_mean(model, dense_graph, 2)
    held = mean.detach().clone()
    slow = 0.0
    for u, i in zip(
        triples.users.tolist(), (triples.positives + model.n_users).tolist(), strict=True
    ):
        of_user, of_item = dense(model.predictor, mean[[u, i]])
        slow = slow - cosine(of_user, held[i]) / 2 - cosine(of_item, held[u]) / 2
    slow = slow / len(triples)
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)
    parameters = list(model.parameters())
    gradients = zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(slow, parameters), strict=True
    )
    for one, two in gradients:
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-8)


def test_targets_are_drawn_by_the_generator(made, triples, unpenalised):
    model, features = made(SelfCFConfig(width=6, dropout=0.5))
    objective = unpenalised(model, features)
    one, again, other = (
        objective(model, triples, features, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
