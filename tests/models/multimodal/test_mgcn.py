"""MGCN against the paper's equations with dense graphs."""

import torch

from engine.models.multimodal.mgcn import MGCNConfig
from tests.support.dense_models import dense, layers, nearest, slow_bpr, slow_info_nce, symmetric


def gate(module, rows):
    return 1 / (1 + torch.exp(-dense(module.dense, rows)))


def slow_parts(model, features, graph, config):
    adjacency = symmetric(graph)
    behaviour = sum(layers(adjacency, torch.cat([model.users, model.items]), config.n_layers))
    behaviour = behaviour / (config.n_layers + 1)
    views, odds = [], []
    for m in model.modalities:
        purified = model.items * gate(model.gate[m], dense(model.projection[m], features[m]))
        item_graph = symmetric(nearest(features[m], config.n_neighbours))
        items = layers(item_graph, purified, config.n_item_layers)[-1]
        views.append(torch.cat([adjacency[: model.n_users, model.n_users :] @ items, items]))
        inner = torch.tanh(dense(model.query.inner, views[-1]))
        odds.append(torch.exp(dense(model.query.outer, inner)))
    common = sum(o / sum(odds) * view for o, view in zip(odds, views, strict=True))
    preferred = [
        gate(model.preference[m], behaviour) * (view - common)
        for m, view in zip(model.modalities, views, strict=True)
    ]
    return behaviour, (sum(preferred) + common) / (len(views) + 1)


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = MGCNConfig(width=6, n_neighbours=5, n_item_layers=2, contrast_weight=0.3)
    model, features = made(config)
    behaviour, side = slow_parts(model, features, dense_graph, config)
    factors = behaviour + side
    torch.testing.assert_close(torch.cat(model(features)), factors, rtol=1e-6, atol=1e-7)

    slow = slow_bpr(factors[: model.n_users], factors[model.n_users :], triples)
    for nodes in (triples.users, triples.positives + model.n_users):
        slow = slow + 0.3 * slow_info_nce(side[nodes], behaviour[nodes], 0.2)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(MGCNConfig(width=4, n_neighbours=5)))


def test_a_frozen_graph_still_lets_features_through_the_gates(made):
    model, features = made(MGCNConfig(width=6, n_neighbours=5, item_graph="frozen"))
    moved = {m: x.flip(0) for m, x in features.items()}
    assert not torch.allclose(model(moved)[1], model(features)[1])
