"""MMGCN against the paper's equations, node by node."""

import pytest
import torch

from engine.models import MMGCNConfig


def leaky(x):
    return x if x > 0 else 0.01 * x


def rectified(vector):
    return torch.stack([leaky(x) for x in vector])


def slow_network(model, modality, x, graph):
    """One modality's network, one node after another."""
    weight, bias = model.projection[modality], model.projection_bias[modality]
    nodes = [p / p.norm() for p in model.preference[modality]]
    nodes += [(weight @ row + bias) / (weight @ row + bias).norm() for row in x]
    free = [*model.users, *model.items]
    for layer in model.layers[modality]:
        following = []
        for n in range(len(nodes)):
            neighbours = torch.nonzero(graph[n]).flatten().tolist()
            heard = torch.zeros(len(layer.message), dtype=torch.float64)
            for neighbour in neighbours:
                heard = heard + layer.message @ nodes[neighbour] / len(neighbours)
            own = rectified(layer.own @ nodes[n] + layer.own_bias) + free[n]
            combined = layer.heard @ rectified(heard) + layer.heard_bias + own
            following.append(rectified(combined))
        nodes = following
    return torch.stack(nodes)


@pytest.mark.parametrize("modalities", [("image",), ("image", "text")])
def test_factors_are_those_of_the_papers_equations(made, dense_graph, modalities):
    model, features = made(MMGCNConfig(width=5, feature_width=4, modalities=modalities))
    with torch.no_grad():
        expected = sum(slow_network(model, m, features[m], dense_graph) for m in modalities)
        found = torch.cat(model(features))
    # The graph's weights are kept in float32.
    torch.testing.assert_close(found, expected / len(modalities), rtol=1e-6, atol=1e-7)


def test_each_layer_reaches_one_step_further(made, dense_graph):
    for n_layers in (1, 2):
        model, features = made(MMGCNConfig(width=5, feature_width=4, n_layers=n_layers))
        changed = {m: x.clone() for m, x in features.items()}
        changed["text"][7] += 1.0
        with torch.no_grad():
            moved = (torch.cat(model(changed)) - torch.cat(model(features))).abs().sum(dim=1) > 0
        reached = torch.zeros(len(dense_graph), dtype=torch.float64)
        reached[model.n_users + 7] = 1.0
        for _ in range(n_layers):
            reached = reached + dense_graph @ reached
        assert torch.equal(moved, reached > 0)
        assert moved[: model.n_users].any()


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(MMGCNConfig(width=4, feature_width=3)))
