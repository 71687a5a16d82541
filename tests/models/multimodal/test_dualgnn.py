"""DualGNN against the paper's equations, user by user."""

import torch

from engine.models.multimodal.dualgnn import DualGNNConfig
from tests.support.dense_models import dense, layers, leaky, slow_bpr, symmetric, unit


def slow_factors(model, features, graph, config):
    adjacency = symmetric(graph)
    nodes = []
    for m in model.modalities:
        projected = dense(model.projection[m], leaky(dense(model.hidden[m], features[m])))
        start = unit(torch.cat([model.preference[m], projected]))
        nodes.append(sum(layers(adjacency, start, config.n_layers)))
    items = sum(n[model.n_users :] for n in nodes)
    own = [
        sum(model.modality_weight[u, k] * n[u] for k, n in enumerate(nodes))
        for u in range(model.n_users)
    ]
    ratings = graph[: model.n_users, model.n_users :]
    users = []
    for u in range(model.n_users):
        shared = [(float(ratings[u] @ ratings[v]), -v) for v in range(model.n_users) if v != u]
        best = sorted((pair for pair in shared if pair[0] > 0), reverse=True)
        best = best[: config.n_like_minded]
        odds = torch.tensor([count for count, _ in best], dtype=torch.float64).exp()
        heard = sum(o / odds.sum() * own[-v] for o, (_, v) in zip(odds, best, strict=True))
        users.append(own[u] + heard)
    return torch.stack(users), items


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = DualGNNConfig(width=5, n_like_minded=7)
    model, features = made(config)
    users, items = slow_factors(model, features, dense_graph, config)
    for one, other in zip(model(features), (users, items), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow_bpr(users, items, triples), rtol=1e-6, atol=0)


def test_the_gradient_by_features_is_the_true_one_and_reaches_users(
    made, assert_true_gradient_by_features
):
    model, features = made(DualGNNConfig(width=4))
    assert_true_gradient_by_features(model, features)
    moved = {m: x.flip(0) for m, x in features.items()}
    assert not torch.allclose(model(moved)[0], model(features)[0])
