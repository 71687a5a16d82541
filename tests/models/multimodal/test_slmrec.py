"""SLMRec against the paper's equations with dense graphs."""

import pytest
import torch

from engine.models.multimodal.slmrec import SLMRecConfig
from tests.support.dense_models import dense, layers, slow_info_nce, symmetric, unit


def slow_views(model, features, graph, n_layers):
    starts = [model.items, *(dense(model.projection[m], unit(x)) for m, x in features.items())]
    adjacency = symmetric(graph)
    return [
        sum(layers(adjacency, torch.cat([model.users, start]), n_layers)) / (n_layers + 1)
        for start in starts
    ]


def slow_cross_entropy(rows, others, temperature):
    losses = []
    for b, row in enumerate(rows):
        odds = torch.stack([torch.exp(row @ other / temperature) for other in others])
        losses.append(-torch.log(odds[b] / odds.sum()))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("modalities", [("text",), ("image", "text")])
def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised, modalities
):
    config = SLMRecConfig(width=6, n_layers=2, modality_weight=0.3, modalities=modalities)
    model, features = made(config)
    views = slow_views(model, features, dense_graph, 2)
    joined = torch.cat(views, dim=1)
    users = dense(model.user_fusion, joined[: model.n_users])
    items = dense(model.item_fusion, joined[model.n_users :])
    for one, other in zip(model(features), (users, items), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)

    slow = slow_info_nce(users[triples.users], items[triples.positives], 0.2)
    coarse = views[0][model.n_users + triples.positives]
    for m, view in zip(modalities, views[1:], strict=True):
        coarse = dense(model.coarse[m], coarse)
        fine = dense(model.fine[m], view[model.n_users + triples.positives])
        slow = slow + 0.3 * slow_cross_entropy(coarse, fine, 0.2)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(SLMRecConfig(width=4)))
