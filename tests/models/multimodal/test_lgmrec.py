"""LGMRec against the paper's equations with dense graphs."""

import torch

from engine.models.multimodal.lgmrec import LGMRecConfig
from tests.support.dense_models import dense, layers, slow_bpr, symmetric, unit


def softmax(rows, temperature):
    odds = torch.exp(rows / temperature)
    return odds / odds.sum(dim=1, keepdim=True)


def slow_parts(model, features, graph, config):
    n = model.n_users
    adjacency, ratings = symmetric(graph), graph[:n, n:]
    behaviour = sum(layers(adjacency, torch.cat([model.users, model.items]), config.n_layers))
    behaviour = behaviour / (config.n_layers + 1)
    factors, globals_ = behaviour, {}
    for m, x in features.items():
        items = dense(model.projection[m], x)
        users = ratings @ items / ratings.sum(dim=1, keepdim=True).clamp_min(1)
        start = torch.cat([users, items])
        factors = factors + unit(layers(adjacency, start, config.n_modality_layers)[-1])
        logits = dense(model.hyperedge[m], x)
        of_items, of_users = softmax(logits, 0.2), softmax(ratings @ logits, 0.2)
        items = behaviour[n:]
        for _ in range(config.n_hyper_layers):
            users, items = of_users @ of_items.T @ items, of_items @ of_items.T @ items
        globals_[m] = torch.cat([users, items])
    return factors + config.hyper_weight * unit(sum(globals_.values())), globals_


def slow_contrast(view, other, chosen):
    view, other = unit(view), unit(other)
    losses = []
    for node in chosen.tolist():
        odds = torch.stack([torch.exp(view[node] @ row / 0.2) for row in other])
        losses.append(-torch.log(odds[node] / odds.sum()))
    return sum(losses)


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = LGMRecConfig(width=6, n_hyper_layers=2, contrast_weight=0.01)
    model, features = made(config)
    factors, globals_ = slow_parts(model, features, dense_graph, config)
    torch.testing.assert_close(torch.cat(model(features)), factors, rtol=1e-6, atol=1e-7)
    n = model.n_users
    slow = slow_bpr(factors[:n], factors[n:], triples)
    image, text = globals_["image"], globals_["text"]
    slow = slow + 0.01 * slow_contrast(image[:n], text[:n], triples.users)
    slow = slow + 0.01 * slow_contrast(image[n:], text[n:], triples.positives)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_memberships_are_noisy_in_a_training_epoch_and_nowhere_else(made):
    model, features = made(LGMRecConfig(width=6))
    clean = model(features)[0]
    model.start_epoch(seed=0, epoch=1)
    drawn = [model(features)[0] for _ in range(2)]
    assert not torch.allclose(drawn[0], clean)
    assert not torch.allclose(*drawn)
    model.start_epoch(seed=0, epoch=1)
    assert torch.equal(model(features)[0], drawn[0])
    assert torch.equal(model.eval()(features)[0], clean)


def test_the_gradient_by_features_is_the_true_one(made, assert_true_gradient_by_features):
    assert_true_gradient_by_features(*made(LGMRecConfig(width=4)))
