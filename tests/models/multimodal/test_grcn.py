"""GRCN against the paper's equations, node by node."""

import pytest
import torch

from engine.models import GRCNConfig


def unit(vector):
    return vector / vector.norm()


def softmax(scores):
    odds = [s.exp() for s in scores]
    return [o / sum(odds) for o in odds]


def weighted(shares, nodes, chosen):
    rows = [share * nodes[n] for share, n in zip(shares, chosen, strict=True)]
    return sum(rows, start=torch.zeros_like(nodes[0]))


def neighbours(graph, n):
    return torch.nonzero(graph[n]).flatten().tolist()


def slow_content(model, modality, x, graph, n_routings):
    """Content of every node, and the share of each edge by (source, target)."""
    weight, bias = model.projection[modality], model.projection_bias[modality]
    nodes = [unit(p) for p in model.prototype[modality]]
    for row in x:
        projected = weight @ row + bias
        nodes.append(unit(torch.where(projected > 0, projected, 0.01 * projected)))
    for _ in range(n_routings):
        moved = []
        for u in range(model.n_users):
            items = neighbours(graph, u)
            shares = softmax([nodes[u] @ nodes[i] for i in items])
            moved.append(unit(nodes[u] + weighted(shares, nodes, items)))
        nodes[: model.n_users] = moved
    content, shares_of = [], {}
    for n, node in enumerate(nodes):
        heard_of = neighbours(graph, n)
        shares = softmax([node @ nodes[j] for j in heard_of])
        shares_of |= {(j, n): s for s, j in zip(shares, heard_of, strict=True)}
        content.append(node + weighted(shares, nodes, heard_of))
    return torch.stack(content), shares_of


@pytest.mark.parametrize("modalities", [("text",), ("image", "text")])
@pytest.mark.parametrize("n_routings", [0, 2])
def test_factors_are_those_of_the_papers_equations(made, dense_graph, modalities, n_routings):
    config = GRCNConfig(width=5, content_width=3, modalities=modalities, n_routings=n_routings)
    model, features = made(config)
    with torch.no_grad():
        parts = [slow_content(model, m, features[m], dense_graph, n_routings) for m in modalities]
        confidence = torch.cat([model.user_confidence, model.item_confidence])
        refined = torch.zeros_like(dense_graph)
        for edge in parts[0][1]:
            source, target = edge
            refined[target, source] = max(
                0.0, *(confidence[source, k] * part[1][edge] for k, part in enumerate(parts))
            )
        free = torch.stack([unit(row) for row in (*model.users, *model.items)])
        graph_part = free + refined @ free + refined @ (refined @ free)
        expected = torch.cat([graph_part, *(content for content, _ in parts)], dim=1)
        found = torch.cat(model(features))
    assert (refined == 0).sum() > (dense_graph == 0).sum()  # some edges are refined away
    assert (refined > 0).any()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_gradient_by_features_is_the_true_one_and_reaches_users(
    made, assert_true_gradient_by_features
):
    model, features = made(GRCNConfig(width=4, content_width=3))
    assert_true_gradient_by_features(model, features)
    leaves = {m: x.clone().requires_grad_() for m, x in features.items()}
    (reached,) = torch.autograd.grad(model(leaves)[0].square().sum(), leaves["image"])
    assert float(reached.abs().sum()) > 0
