"""Features that are trained along: an offset to those that a model is given."""

import pytest
import torch

from engine.models import MODELS
from engine.models.parts.graph_recommender import TrainableFeaturesConfig

CONFIGS = [
    config(width=5, trainable_features=True)
    for config in MODELS
    if issubclass(config, TrainableFeaturesConfig)
]


@pytest.mark.parametrize("config", CONFIGS, ids=[config.name for config in CONFIGS])
def test_they_start_as_given_are_trained_and_still_take_perturbations(
    config, made, triples, unpenalised
):
    if hasattr(config, "item_graph"):  # a graph that neither of the two below changes
        config = config.model_copy(update={"item_graph": "frozen"})
    model, features = made(config)
    fixed, _ = made(config.model_copy(update={"trainable_features": False}))

    def loss_of(one, features):
        draws = torch.Generator().manual_seed(0)
        return unpenalised(one, features)(one, triples, features, draws)

    loss = loss_of(model, features)
    torch.testing.assert_close(loss, loss_of(fixed, features))
    gradients = torch.autograd.grad(loss, list(model.feature_offset.values()))
    assert all(float(g.abs().sum()) > 0 for g in gradients)
    assert model.block("feature_offset.text") == "features"

    moved = {m: x + 0.1 * x.flip(0) for m, x in features.items()}
    with torch.no_grad():
        of_moved = torch.cat(model(moved)), loss_of(model, moved)
        for m, offset in model.feature_offset.items():
            offset.copy_(moved[m] - features[m])
        torch.testing.assert_close(torch.cat(model(features)), of_moved[0])
        torch.testing.assert_close(loss_of(model, features), of_moved[1])
