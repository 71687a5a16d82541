"""LATTICE against the paper's equations with dense graphs."""

import pytest
import torch

from engine.models.multimodal.lattice import LATTICEConfig
from tests.support.dense_models import cosines, dense, layers, nearest, slow_bpr, symmetric, unit


def slow_factors(model, features, graph, config):
    mean = graph + torch.eye(len(graph), dtype=graph.dtype)
    mean = mean / mean.sum(dim=1, keepdim=True)
    walked = sum(layers(mean, torch.cat([model.users, model.items]), config.n_layers))
    walked = walked / (config.n_layers + 1)
    shares = torch.exp(model.modality_weight) / torch.exp(model.modality_weight).sum()
    k, share = config.n_neighbours, config.feature_share
    learnt = own = 0
    for a, m in zip(shares, model.modalities, strict=True):
        learnt = learnt + a * nearest(dense(model.projection[m], features[m]), k)
        own = own + a * symmetric(nearest(features[m], k))
    item_graph = (1 - share) * symmetric(learnt) + share * own
    smooth = layers(item_graph, model.items, config.n_item_layers)[-1]
    return walked[: model.n_users], walked[model.n_users :] + unit(smooth)


@pytest.mark.parametrize("modalities", [("image",), ("image", "text")])
@pytest.mark.parametrize("n_item_layers", [1, 2])
def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised, modalities, n_item_layers
):
    config = LATTICEConfig(
        width=6, n_neighbours=5, n_item_layers=n_item_layers, modalities=modalities,
        feature_share=0.6,
    )  # fmt: skip
    model, features = made(config)
    users, items = slow_factors(model, features, dense_graph, config)
    for one, other in zip(model(features), (users, items), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow_bpr(users, items, triples), rtol=1e-6, atol=0)


def test_neighbours_stay_for_an_epoch_of_training_and_follow_the_weights_in_evaluation(made):
    model, features = made(LATTICEConfig(width=6, n_neighbours=5))
    model.start_epoch(0, 1)
    before = model(features)[1]
    with torch.no_grad():
        model.projection["text"].weight.copy_(model.projection["text"].weight.flip(0, 1))
    kept = model(features)[1]
    assert not torch.equal(kept, before)  # the weights of the edges follow
    assert not torch.allclose(model.eval()(features)[1], kept)


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(LATTICEConfig(width=4, n_neighbours=5)))


def test_cosines_of_the_slow_twin_are_cosines():
    x = torch.tensor([[3.0, 4.0], [4.0, 3.0]])
    torch.testing.assert_close(cosines(x), torch.tensor([[1.0, 0.96], [0.96, 1.0]]))
