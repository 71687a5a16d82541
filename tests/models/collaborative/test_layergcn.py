"""LayerGCN against the paper's equations, node by node."""

import torch

from engine.models.collaborative.layergcn import LayerGCNConfig
from tests.support.dense_models import slow_bpr, symmetric


def test_factors_and_loss_are_those_of_the_papers_equations(
    made, triples, dense_graph, unpenalised
):
    model, features = made(LayerGCNConfig(width=6, n_layers=3))
    adjacency = symmetric(dense_graph)
    start = layer = torch.cat([model.users, model.items])
    total = torch.zeros_like(start)
    for _ in range(3):
        walked = adjacency @ layer
        rows = []
        for node, begin in zip(walked, start, strict=True):
            length = node.norm() * begin.norm()
            likeness = node @ begin / length if length > 0 else 0.0
            rows.append(likeness * node)
        layer = torch.stack(rows)
        total = total + layer
    torch.testing.assert_close(torch.cat(model.eval()(features)), total, rtol=1e-6, atol=1e-7)
    loss = unpenalised(model, features)(model, triples, features, torch.Generator())
    slow = slow_bpr(total[: model.n_users], total[model.n_users :], triples)
    torch.testing.assert_close(loss, slow, rtol=1e-6, atol=0)


def test_training_prunes_anew_each_epoch_and_evaluation_does_not(made):
    model, features = made(LayerGCNConfig(width=6, pruned_share=0.2))
    whole = model(features)[0]
    drawn = []
    for epoch in (1, 2):
        model.start_epoch(seed=0, epoch=epoch)
        drawn.append(model(features)[0])
        assert not torch.allclose(drawn[-1], whole)
    assert not torch.allclose(*drawn)
    assert torch.equal(model.eval()(features)[0], whole)
