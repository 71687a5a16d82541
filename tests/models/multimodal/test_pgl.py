"""PGL against the paper's equations with dense graphs."""

import torch

from engine.models.multimodal.pgl import PGLConfig
from tests.support.dense_models import (
    dense,
    layers,
    nearest,
    slow_bpr,
    slow_info_nce,
    symmetric,
    unit,
)


def slow_factors(model, features, graph, config):
    users = torch.cat([model.preference[m] for m in model.modalities], dim=1)
    items = torch.cat([unit(dense(model.projection[m], x)) for m, x in features.items()], dim=1)
    walked = sum(layers(symmetric(graph), torch.cat([users, items]), config.n_layers))
    walked = walked / (config.n_layers + 1)
    item_graph = sum(
        share * symmetric(nearest(features[m], config.n_neighbours, "binary"))
        for m, share in {"image": 0.1, "text": 0.9}.items()
    )
    smooth = layers(item_graph, items, config.n_item_layers)[-1]
    return walked[: model.n_users], walked[model.n_users :] + smooth


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = PGLConfig(width=5, n_neighbours=5, n_item_layers=2, dropout=0.0, contrast_weight=0.3)
    model, features = made(config)
    users, items = slow_factors(model, features, dense_graph, config)
    for one, other in zip(model.eval()(features), (users, items), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    slow = slow_bpr(users, items, triples)
    for rows in (users[triples.users], items[triples.positives]):
        slow = slow + 0.15 * slow_info_nce(rows, rows, 0.2)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_training_walks_a_drawn_part_and_evaluation_the_whole(made):
    model, features = made(PGLConfig(width=5))
    whole = model(features)[0]
    model.start_epoch(seed=0, epoch=1)
    assert model.pruned.values().numel() < 0.31 * model.adjacency.values().numel()
    assert not torch.allclose(model(features)[0], whole)
    assert torch.equal(model.eval()(features)[0], whole)


def test_with_a_frozen_graph_the_gradient_by_features_is_the_true_one(
    made, assert_true_gradient_by_features
):
    assert_true_gradient_by_features(*made(PGLConfig(width=4, item_graph="frozen")))
