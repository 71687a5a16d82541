"""The forms that published rows were made with, where the code differs from the paper."""

import pytest
import torch

from engine.evaluation import evaluate
from engine.models import GRCNConfig, MMGCNConfig, build_model
from engine.training import MemoryRecorder, TrainConfig, Trained, fit
from tests.support.dense_models import dense, leaky, unit


def test_grcn_as_released_never_moves_its_prototypes(made):
    released, features = made(GRCNConfig(width=5, content_width=3, form="released"))
    unrouted, _ = made(GRCNConfig(width=5, content_width=3, n_routings=0))
    routed, _ = made(GRCNConfig(width=5, content_width=3))
    assert torch.equal(torch.cat(released(features)), torch.cat(unrouted(features)))
    assert not torch.allclose(torch.cat(released(features)), torch.cat(routed(features)))


def slow_mmgcn(model, features, graph):
    mean = graph / graph.sum(dim=1, keepdim=True).clamp_min(1)
    free = torch.cat([model.users, model.items])
    outputs = []
    for m, x in features.items():
        items = dense(model.entry[m], x) if m == "image" else x
        nodes = unit(torch.cat([model.get_buffer(f"{m}_preference"), items]))
        for layer in model.layers[m]:
            heard = leaky(mean @ dense(layer.message, nodes))
            own = leaky(dense(layer.own, nodes)) + free
            nodes = leaky(dense(layer.joined, torch.cat([heard, own], dim=1)))
        outputs.append(nodes)
    return sum(outputs) / len(outputs)


def test_mmgcn_as_released_joins_and_does_not_train_its_free_embeddings(made, dense_graph):
    model, features = made(MMGCNConfig(width=5, feature_width=4, n_layers=3, form="released"))
    expected = slow_mmgcn(model, features, dense_graph)
    torch.testing.assert_close(torch.cat(model(features)), expected, rtol=1e-6, atol=1e-7)
    assert all(name.startswith(("entry", "layers")) for name in model.theta())


@pytest.mark.parametrize("config", [MMGCNConfig(form="released"), GRCNConfig(form="released")])
def test_they_train_and_open_again_as_they_were(config, tiny):
    settings = {"model": config.model_dump(mode="json") | {"width": 6}, "epochs": 3}
    run = TrainConfig().changed(settings | {"batch_size": 256, "device": "cpu", "seed": 5})
    recorder = MemoryRecorder()
    result = fit(tiny, run, recorder)
    start = build_model(result.config.model, tiny, 5).theta()
    assert any(not torch.equal(w, start[n]) for n, w in result.model.theta().items())
    opened = Trained.from_weights(result.config, recorder.weights, tiny)
    values = evaluate(*opened.factors(), tiny, "test").means()
    assert values["recall@20"] == pytest.approx(result.test["recall@20"], abs=1e-12)
