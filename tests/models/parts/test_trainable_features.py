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
    model, features = made(config)
    fixed, _ = made(config.model_copy(update={"trainable_features": False}))
    for one, other in zip(model.eval()(features), fixed.eval()(features), strict=True):
        torch.testing.assert_close(one, other)
    draws = torch.Generator().manual_seed(0)
    loss = unpenalised(model, features)(model, triples, features, draws)
    gradients = torch.autograd.grad(loss, list(model.feature_offset.values()))
    assert all(float(g.abs().sum()) > 0 for g in gradients)
    assert model.block("feature_offset.text") == "features"

    moved = {m: x + 0.1 * x.flip(0) for m, x in features.items()}
    with torch.no_grad():
        given = torch.cat(model(moved))
        for m, offset in model.feature_offset.items():
            offset.copy_(moved[m] - features[m])
        torch.testing.assert_close(torch.cat(model(features)), given)
