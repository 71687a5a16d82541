"""DA-MRS against the paper's equations: graphs item by item, the loss pair by pair."""

import torch

from engine.models.multimodal.damrs import DAMRSConfig
from engine.models.parts.agreeing_graph import agreeing_edges
from tests.support.dense_models import cosines, layers, symmetric, unit


def slow_graphs(features, k):
    likeness = {m: cosines(x) for m, x in features.items()}
    n = len(next(iter(likeness.values())))
    graphs = {m: torch.zeros(n, n, dtype=torch.float64) for m in features}
    for m, graph in graphs.items():
        for a in range(n):
            agreed = [b for b in range(n) if all(c[a, b] >= c.mean() for c in likeness.values())]
            for b in sorted(agreed, key=lambda b: -float(likeness[m][a, b]))[:k]:
                graph[a, b] = 1.0
    return graphs


def slow_common(ratings, k):
    shared = ratings.T @ ratings
    n = len(shared)
    graph = torch.eye(n, dtype=torch.float64)
    for a in range(n):
        others = [b for b in range(n) if b != a and shared[a, b] >= 2]
        for b in sorted(others, key=lambda b: (-float(shared[a, b]), b))[:k]:
            graph[a, b] = 1.0
    return graph


def slow_views(model, features, graph, config):
    n = model.n_users
    graphs = slow_graphs(features, config.n_neighbours)
    graphs["behaviour"] = slow_common(graph[:n, n:], config.n_common)
    return [symmetric(g) @ model.items for g in graphs.values()]


def slow_neighbours(own, others, chosen, n_positives):
    losses = []
    for i in chosen:
        odds = [torch.exp(unit(view) @ unit(view)[i]) for view in (own, *others)]
        odds = [o / o.sum() for o in odds]
        likely = 2 * odds[0] + sum(odds[1:])
        of_all = likely.argsort(descending=True)[:n_positives].tolist()
        rest = [n for n in odds[0].argsort(descending=True).tolist() if n not in of_all]
        near = torch.exp(unit(own) @ unit(own)[i] / 0.2)
        among, whole = near[of_all].sum(), near.sum()
        losses.append(-torch.log(among / whole))
        losses.append(-torch.log(near[rest[:n_positives]].sum() / (whole - among)))
    return sum(losses) / len(chosen)


def slow_ranking(users, items, views, triples):
    triplets = list(zip(*(ids.tolist() for ids in (triples.users, triples.positives,
                                                   triples.negatives)), strict=True))  # fmt: skip

    def odds(u, i):
        return torch.stack([torch.sigmoid(users[u] @ unit(view[[i]])[0]) for view in views])

    average = torch.stack([odds(u, j) for u, _, j in triplets]).mean().detach()
    losses = []
    for u, i, j in triplets:
        likely = odds(u, i).detach()
        margin = users[u] @ items[i] - users[u] @ items[j]
        loss = likely.mean() * torch.exp(-likely.var()) ** 2 * torch.log(torch.sigmoid(margin))
        if likely.mean() < average:
            excess = (likely.max() - average).clamp(0, 1)
            loss = loss + excess * torch.log(torch.sigmoid(-margin))
        losses.append(-loss)
    return sum(losses) / len(losses)


def slow_alignment(users, walked, side, triples):
    ids = torch.cat([triples.positives, triples.negatives]).unique()
    p = torch.sigmoid(users[triples.users.unique()] @ unit(walked[ids]).T)
    q = torch.sigmoid(users[triples.users.unique()] @ unit(side[ids]).T)

    def divergence(a, b):
        return a * torch.log(a / b) + (1 - a) * torch.log((1 - a) / (1 - b))

    return (divergence(p, q) + divergence(q, p)).mean()


def test_factors_loss_and_gradient_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    config = DAMRSConfig(width=6, n_neighbours=5, n_positives=4, neighbour_weight=0.3)
    model, features = made(config)
    n = model.n_users
    start = torch.cat([model.users, model.items])
    mean = sum(layers(symmetric(dense_graph), start, 2)) / 3
    users, walked = mean[:n], mean[n:]
    views = slow_views(model, features, dense_graph, config)
    side = sum(views) / 3
    for one, other in zip(model(features), (users, walked + side), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)

    chosen = torch.cat([triples.positives, triples.negatives]).unique().tolist()
    slow = slow_ranking(users, walked + side, views, triples)
    slow = slow + slow_alignment(users, walked, side, triples)
    for k, own in enumerate(views):
        others = views[:k] + views[k + 1 :]
        slow = slow + 0.3 * slow_neighbours(own, others, chosen, 4) / 3
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)
    parameters = list(model.parameters())
    gradients = zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(slow, parameters), strict=True
    )
    for one, two in gradients:
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-8)


def test_an_item_alike_in_one_modality_only_is_no_neighbour():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    text = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    image[1], text[1] = image[0], -text[0]
    near, weights = agreeing_edges({"image": image, "text": text}, "image", 5)
    assert near[0, 0] == 0
    assert not ((near[0] == 1) & (weights[0] > 0)).any()
    alone, _ = agreeing_edges({"image": image}, "image", 5)
    assert 1 in alone[0].tolist()


def test_attacks_see_a_gradient_unless_the_graphs_are_frozen(made):
    for origin, is_seen in (("rebuilt", True), ("frozen", False)):
        model, features = made(DAMRSConfig(width=6, item_graph=origin))
        leaves = {m: x.clone().requires_grad_() for m, x in features.items()}
        (gradient,) = torch.autograd.grad(model(leaves)[1].square().sum(), leaves["image"])
        assert bool(gradient.abs().sum() > 0) == is_seen
