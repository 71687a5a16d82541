"""DRAGON against the paper's equations with dense graphs."""

import torch

from engine.models.multimodal.dragon import DRAGONConfig
from tests.support.dense_models import dense, layers, leaky, nearest, slow_bpr, symmetric, unit


def slow_factors(model, features, graph, config):
    nodes = []
    for m in model.modalities:
        projected = dense(model.projection[m], leaky(dense(model.hidden[m], features[m])))
        start = unit(torch.cat([model.preference[m], projected]))
        nodes.append(sum(layers(symmetric(graph), start, config.n_layers)))
    item_graph = sum(
        share * symmetric(nearest(features[m], config.n_neighbours, "binary"))
        for m, share in {"image": 0.1, "text": 0.9}.items()
    )
    items = torch.cat([n[model.n_users :] for n in nodes], dim=1)
    items = items + layers(item_graph, items, config.n_item_layers)[-1]
    own = torch.stack(
        [
            torch.cat([model.modality_weight[u, k] * n[u] for k, n in enumerate(nodes)])
            for u in range(model.n_users)
        ]
    )
    return own + model.like_minded.to_dense() @ own, items  # tests/models/test_dualgnn has that one


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = DRAGONConfig(width=5, n_like_minded=7, n_neighbours=5, n_item_layers=2)
    model, features = made(config)
    users, items = slow_factors(model, features, dense_graph, config)
    for one, other in zip(model(features), (users, items), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow_bpr(users, items, triples), rtol=1e-6, atol=0)


def test_with_a_frozen_graph_the_gradient_by_features_is_the_true_one(
    made, assert_true_gradient_by_features
):
    assert_true_gradient_by_features(*made(DRAGONConfig(width=4, item_graph="frozen")))
