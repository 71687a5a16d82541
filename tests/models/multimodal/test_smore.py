"""SMORE against the paper's equations: Fourier sums written out, graphs dense."""

import cmath
import math

import pytest
import torch

from engine.models.multimodal.smore import SMOREConfig
from tests.support.dense_models import dense, layers, nearest, slow_bpr, slow_info_nce, symmetric


def spectrum(rows):
    """``sum_n x_n exp(-2 pi i k n / D) / sqrt(D)`` for k up to D / 2."""
    width = rows.shape[1]
    turns = torch.tensor(
        [[cmath.exp(-2j * math.pi * k * n / width) for k in range(width // 2 + 1)]
         for n in range(width)]
    )  # fmt: skip
    return rows.to(torch.complex128) @ turns.to(torch.complex128) / math.sqrt(width)


def signal(spectra, width):
    """The real signal of half a spectrum; what is imaginary in the ends is dropped."""
    whole = [spectra[:, k] for k in range(width // 2 + 1)]
    rows = []
    for n in range(width):
        total = whole[0].real.clone()
        for k in range(1, width):
            half = whole[k] if k <= width // 2 else whole[width - k].conj()
            if width % 2 == 0 and k == width // 2:
                half = half.real.to(half.dtype)
            total = total + (half * cmath.exp(2j * math.pi * k * n / width)).real
        rows.append(total / math.sqrt(width))
    return torch.stack(rows, dim=1)


def gate(module, rows):
    return 1 / (1 + torch.exp(-dense(module.dense, rows)))


def slow_parts(model, features, graph, config):
    width, n = config.width, model.n_users
    adjacency = symmetric(graph)
    behaviour = sum(layers(adjacency, torch.cat([model.users, model.items]), config.n_layers))
    behaviour = behaviour / (config.n_layers + 1)
    spectra = {m: spectrum(dense(model.projection[m], x)) for m, x in features.items()}
    graphs = {m: symmetric(nearest(x, config.n_neighbours)) for m, x in features.items()}
    product = torch.ones_like(next(iter(spectra.values())))
    for one in spectra.values():
        product = product * one
    spectra["fused"] = product
    graphs["fused"] = torch.stack(list(graphs.values())).max(dim=0).values
    views = {}
    for name, one in spectra.items():
        weights = torch.complex(model.filter[name][:, 0], model.filter[name][:, 1])
        purified = model.items * gate(model.gate[name], signal(one * weights, width))
        items = layers(graphs[name], purified, config.n_item_layers)[-1]
        views[name] = torch.cat([adjacency[:n, n:] @ items, items])
    side = gate(model.preference["fused"], behaviour) * views["fused"]
    for m in features:
        inner = torch.tanh(dense(model.query[m].inner, views["fused"]))
        odds = torch.exp(dense(model.query[m].outer, inner))
        attended = odds / odds.sum(dim=1, keepdim=True) * views[m]
        side = side + gate(model.preference[m], behaviour) * attended
    return behaviour, side / len(views)


@pytest.mark.parametrize("width", [6, 7])
def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised, width
):
    config = SMOREConfig(width=width, n_neighbours=5, n_item_layers=2, contrast_weight=0.3)
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
    assert_true_gradient_by_features(*made(SMOREConfig(width=4, n_neighbours=5)))
