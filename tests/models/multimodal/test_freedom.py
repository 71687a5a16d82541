"""FREEDOM against the paper's equations in dense float64, and its graphs one by one."""

import numpy as np
import pytest
import torch

from engine.geometry.curvature.measures.input_sharpness import input_gradients
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.triples import frozen_triples
from engine.models import FREEDOMConfig, build_model
from engine.models.parts.graphs import pruned_adjacency
from engine.models.parts.item_graph import ItemGraph, edges, smoothed_with_gradient, unit_rows
from engine.objectives import AMRConfig, Objective, ObjectiveConfig, of_length
from engine.training import TrainConfig, fit


def dense_item_graph(x, k):
    """Cosines, the k largest of each row set to one, normalised by degrees."""
    n = len(x)
    similar = torch.zeros(n, n, dtype=torch.float64)
    for a in range(n):
        for b in range(n):
            similar[a, b] = torch.dot(x[a], x[b]) / (x[a].norm() * x[b].norm())
    kept = torch.zeros(n, n, dtype=torch.float64)
    for a in range(n):
        kept[a, similar[a].argsort(descending=True)[:k]] = 1.0
    degrees = torch.diag(kept.sum(dim=1) ** -0.5)
    return degrees @ kept @ degrees


def dense_factors(model, features, graph, config):
    degrees = graph.sum(dim=1)
    scale = torch.diag(torch.where(degrees > 0, degrees.clamp_min(1) ** -0.5, 0.0))
    adjacency = scale @ graph @ scale
    layers = [torch.cat([model.users, model.items])]
    for _ in range(config.n_layers):
        layers.append(adjacency @ layers[-1])
    mean = torch.stack(layers).mean(dim=0)
    item_graph = sum(
        share * dense_item_graph(features[m], config.n_neighbours)
        for m, share in {"image": 0.1, "text": 0.9}.items()
    )
    smooth = model.items
    for _ in range(config.n_item_layers):
        smooth = item_graph @ smooth
    return mean[: model.n_users], mean[model.n_users :] + smooth


@pytest.mark.parametrize("n_item_layers", [1, 2])
def test_factors_are_those_of_the_papers_equations(made, dense_graph, n_item_layers):
    config = FREEDOMConfig(width=6, n_neighbours=5, n_item_layers=n_item_layers)
    model, features = made(config)
    users, items = dense_factors(model, features, dense_graph, config)
    found_users, found_items = model(features)
    # The interaction graph is kept in float32.
    torch.testing.assert_close(found_users, users, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(found_items, items, rtol=1e-6, atol=1e-7)


def test_the_loss_is_bpr_plus_weighted_bpr_on_projected_features(made, triples, unpenalised):
    model, features = made(FREEDOMConfig(width=6, modality_weight=0.3))
    found = unpenalised(model, features)(model, triples, features, torch.Generator())
    users, items = model(features)
    total = 0.0
    for n in range(len(triples)):
        u, i, j = (int(ids[n]) for ids in (triples.users, triples.positives, triples.negatives))
        total += torch.log1p(torch.exp(-users[u] @ (items[i] - items[j])))
        for m in ("image", "text"):
            gap = model.projection[m] @ (features[m][i] - features[m][j])  # the bias cancels
            total += 0.3 * torch.log1p(torch.exp(-users[u] @ gap))
    torch.testing.assert_close(found, total / len(triples), rtol=1e-9, atol=0)


def test_pruning_keeps_a_share_redrawn_each_epoch_and_prefers_edges_of_low_degree(tiny):
    first, again, next_epoch = (pruned_adjacency(tiny, 0.8, 5, e) for e in (1, 1, 2))
    n_edges = tiny.matrix("train").nnz
    assert first.nnz == 2 * int(n_edges * (1 - 0.8))
    assert (first != again).nnz == 0
    assert (first != next_epoch).nnz > 0
    ratings = tiny.matrix("train").tocoo()
    per_user, per_item = ratings.sum(axis=1).A1, ratings.sum(axis=0).A1
    odds = 1 / np.sqrt(per_user[ratings.row] * per_item[ratings.col])
    kept = sum(
        (pruned_adjacency(tiny, 0.8, 0, e)[: tiny.n_users, tiny.n_users :] > 0).astype(int)
        for e in range(300)
    )
    counts = np.asarray(kept[ratings.row, ratings.col]).ravel()
    likely, unlikely = odds > np.quantile(odds, 0.9), odds < np.quantile(odds, 0.1)
    # Without replacement, a share q of waiting times 1/w ends before t: 1 - exp(-w t) = odds kept.
    grid = np.linspace(0, 50, 20001)
    t = grid[np.argmin([abs((1 - np.exp(-odds * g)).mean() - 0.2) for g in grid])]
    for group in (likely, unlikely):
        expected = (1 - np.exp(-odds[group] * t)).mean()
        assert counts[group].mean() / 300 == pytest.approx(expected, abs=0.02)
    assert counts[likely].mean() > counts[unlikely].mean()


def test_training_prunes_and_evaluation_does_not(made):
    model, features = made(FREEDOMConfig(width=6))
    whole = model(features)[0].detach()
    model.start_epoch(seed=0, epoch=1)
    assert not torch.equal(model(features)[0], whole)
    assert torch.equal(model.eval()(features)[0], whole)


def test_without_pruning_training_walks_the_whole_graph(made):
    model, features = made(FREEDOMConfig(width=6, pruned_share=0.0))
    whole = model(features)[0].detach()
    model.start_epoch(seed=0, epoch=1)
    assert torch.equal(model(features)[0], whole)


def test_changed_features_rebuild_the_graph_unless_it_is_frozen(made):
    changed = {}
    for kind in ("rebuilt", "frozen"):
        model, features = made(FREEDOMConfig(width=6, item_graph=kind))
        clean = model(features)[1].detach()
        swapped = {m: x.flip(0) for m, x in features.items()}
        changed[kind] = float((model(swapped)[1] - clean).detach().abs().max())
        assert torch.equal(model(features)[1], clean)  # the clean graph was not lost
    assert changed["frozen"] == 0
    assert changed["rebuilt"] > 0.01


def test_both_kinds_agree_on_the_datasets_own_features_however_scaled(made):
    rebuilt, features = made(FREEDOMConfig(width=6))
    frozen, _ = made(FREEDOMConfig(width=6, item_graph="frozen"))
    scaled = {m: x / x.abs().max() for m, x in features.items()}
    for one, other in zip(rebuilt(scaled), frozen(features), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_features_changed_in_place_are_noticed(made):
    model, features = made(FREEDOMConfig(width=6))
    clean = model(features)[1].detach()
    features["text"].copy_(features["text"].flip(0))
    assert not torch.equal(model(features)[1], clean)


def test_an_item_without_features_is_its_own_only_neighbour():
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[3] = 0.0
    near, weights = edges(unit_rows(x), 3)
    assert near[:, 0].tolist() == list(range(9))
    assert weights[3].tolist() == [1.0, 0.0, 0.0]
    everything_missing = ItemGraph.of({"text": x * 0}, 3, {"text": 1.0}, torch.float64)
    assert torch.equal(everything_missing.matrix.to_dense(), torch.eye(9, dtype=torch.float64))


def test_the_straight_through_gradient_is_that_of_weights_that_follow_cosines():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(12, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    items = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    upstream = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    found = smoothed_with_gradient({"text": x}, 4, {"text": 1.0}, items, 1)
    (gradient,) = torch.autograd.grad(found, x, upstream)
    exact = ItemGraph.of({"text": x}, 4, {"text": 1.0}, torch.float64).smoothed(items, 1)
    torch.testing.assert_close(found, exact)

    near, _ = edges(unit_rows(x.detach()), 4, with_candidates=True)
    cosines = torch.stack(
        [torch.cosine_similarity(x[a][None], x[near[a]], dim=1) for a in range(12)]
    )
    relaxed = (cosines / 4)[..., None] * items[near]
    (slow,) = torch.autograd.grad(relaxed.sum(dim=1), x, upstream)
    torch.testing.assert_close(gradient, slow, rtol=1e-10, atol=1e-12)


def test_a_frozen_graph_leaves_nothing_to_attack(made, triples):
    model, features = made(FREEDOMConfig(width=6, item_graph="frozen", modality_weight=0.0))
    objective = Objective(ObjectiveConfig(adversary=AMRConfig()), model, features)
    step = objective.start(model, triples, features, torch.Generator())
    assert all((delta == 0).all() for delta in objective.adversary.perturbation(step).values())


def test_features_moved_along_it_raise_the_loss_more_than_noise_of_equal_length(tiny):
    settings = {"model": "freedom", "epochs": 15, "batch_size": 256, "device": "cpu"}
    trained = fit(tiny, TrainConfig().changed(settings)).trained(tiny)
    triples = frozen_triples(tiny)
    lengths = {m: 0.3 * x.norm(dim=1) for m, x in trained.features.items()}

    def loss(directions):
        moved = {m: x + of_length(directions[m], lengths[m]) for m, x in trained.features.items()}
        with torch.no_grad():
            return mean_ranking_loss(*trained.model(moved), triples)

    draws = torch.Generator().manual_seed(0)
    noise = [
        loss({m: torch.randn(x.shape, generator=draws) for m, x in trained.features.items()})
        for _ in range(5)
    ]
    uphill = input_gradients(trained, triples)
    assert loss(uphill) > max(noise)
    assert loss({m: -g for m, g in uphill.items()}) < min(noise)


def test_weights_are_those_of_the_config_whatever_the_graph(tiny):
    kinds = [FREEDOMConfig(item_graph=kind) for kind in ("rebuilt", "frozen")]
    one, two = (build_model(kind, tiny, 0).theta() for kind in kinds)
    assert all(torch.equal(one[name], two[name]) for name in one)
