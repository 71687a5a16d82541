"""MVGAE against the paper's equations, node by node."""

import torch

from engine.models.multimodal.mvgae import MVGAEConfig
from tests.support.dense_models import dense, leaky, unit


def graph_layer(layer, mean, nodes):
    return unit(torch.stack([layer.weight @ row for row in mean @ nodes]) + layer.bias)


def slow_belief(model, name, x, mean):
    view = model.view[name]
    nodes = unit(torch.cat([view.preference, dense(view.entry, x)]))
    for graph, after in zip(view.graph, view.dense, strict=True):
        nodes = leaky(dense(after, leaky(graph_layer(graph, mean, nodes))))
    ends = []
    for graph, after, own in zip(view.end_graph, view.end_dense, view.end_own, strict=True):
        heard = leaky(graph_layer(graph, mean, nodes))
        ends.append(dense(after, heard) + leaky(dense(own, nodes)))
    return ends


def slow_product(beliefs):
    precisions = [1 / (torch.exp(v) + 1e-8) for _, v in beliefs]
    total = sum(precisions)
    return sum(m * p for (m, _), p in zip(beliefs, precisions, strict=True)) / total, -total.log()


def slow_loss(mean, log_variance, n_users, triples, weight):
    z = torch.sigmoid(mean)
    losses = []
    for u, i in zip(triples.users.tolist(), triples.positives.tolist(), strict=True):
        own = torch.sigmoid(z[u] @ z[n_users + i])
        hardest = max(torch.sigmoid(z[u] @ z[n_users + j]) for j in triples.negatives.tolist())
        losses.append(-torch.log(torch.sigmoid(own - hardest)))
    entries = 1 + log_variance - mean**2 - torch.exp(log_variance)
    return sum(losses) / len(losses) - weight / 2 * entries.sum(dim=1).mean()


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = MVGAEConfig(width=5, hidden_width=6, n_layers=2, noise=0.0, divergence_weight=0.1)
    model, features = made(config)
    walk = dense_graph + torch.eye(len(dense_graph), dtype=torch.float64)
    walk = walk / walk.sum(dim=1, keepdim=True)
    with torch.no_grad():
        beliefs = [slow_belief(model, m, x, walk) for m, x in features.items()]
        free = slow_belief(model, "free", model.items, walk)
        joined = slow_product([slow_product(beliefs), free])
        expected = torch.sigmoid(joined[0])
        torch.testing.assert_close(torch.cat(model(features)), expected, rtol=1e-6, atol=1e-7)
        slow = sum(
            slow_loss(*belief, model.n_users, triples, 0.1) for belief in (joined, *beliefs, free)
        )
        loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_a_draw_of_the_product_is_the_sigmoid_of_its_mean_and_noise(made, triples, unpenalised):
    model, features = made(MVGAEConfig(width=5, noise=0.3, divergence_weight=0.0))
    drawn, again, still = (
        unpenalised(one, features)(one, triples, features, torch.Generator().manual_seed(3))
        for one in (model, model, made(MVGAEConfig(width=5, noise=0.0, divergence_weight=0.0))[0])
    )
    assert torch.equal(drawn, again)
    assert not torch.allclose(drawn, still)
    factor, noise = torch.tensor(0.3), torch.tensor(0.7)
    moved = factor * noise.exp() / (1 + factor * noise.expm1())
    torch.testing.assert_close(moved, torch.sigmoid(torch.logit(factor) + noise))


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(MVGAEConfig(width=4, hidden_width=5)))
