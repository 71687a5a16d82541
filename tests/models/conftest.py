"""Batches and dense graphs for the slow twins of the models."""

import numpy as np
import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.models import build_model
from engine.objectives import Objective, ObjectiveConfig, SquaredPenaltyConfig, Triples

CPU = torch.device("cpu")


@pytest.fixture
def made(tiny):
    """A config's model in float64 with its features."""

    def make(config, dataset=tiny):
        model = build_model(config, dataset, seed=2).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "bias" in name:  # they start at zero, where an error would not show
                    parameter.copy_(torch.linspace(-0.3, 0.4, parameter.numel()).view_as(parameter))
        return model, load_features(dataset, model.modalities, FeatureConfig(), CPU, torch.float64)

    return make


@pytest.fixture
def triples(tiny):
    """100 training pairs, each with some other item."""
    negatives = torch.randint(0, 40, (100,), generator=torch.Generator().manual_seed(0))
    pairs = tiny.train
    return Triples(torch.tensor(pairs.users[:100]), torch.tensor(pairs.items[:100]), negatives)


@pytest.fixture
def unpenalised():
    """The objective of a model without any penalty."""

    def make(model, features):
        free = SquaredPenaltyConfig(users=0.0, items=0.0)
        return Objective(ObjectiveConfig(regulariser=free), model, features)

    return make


@pytest.fixture
def dense_graph(tiny):
    """The interactions of users and items as a dense symmetric 0/1 matrix."""
    ratings = torch.zeros(tiny.n_users, tiny.n_items, dtype=torch.float64)
    ratings[np.array(tiny.train.users), np.array(tiny.train.items)] = 1.0
    n = tiny.n_users + tiny.n_items
    graph = torch.zeros(n, n, dtype=torch.float64)
    graph[: tiny.n_users, tiny.n_users :] = ratings
    return graph + graph.T


@pytest.fixture
def assert_true_gradient_by_features():
    """Check a model's gradients by features against finite differences, all modalities."""

    def check(model, features):
        leaves = {m: x.clone().requires_grad_() for m, x in features.items()}
        users, items = model(leaves)
        gradients = torch.autograd.grad((users.sum() * items).sum(), list(leaves.values()))
        generator = torch.Generator().manual_seed(0)
        for m, gradient in zip(leaves, gradients, strict=True):
            step = torch.randn(features[m].shape, generator=generator, dtype=torch.float64)
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    users, items = model({**features, m: features[m] + sign * 1e-7 * step})
                    values.append(float((users.sum() * items).sum()))
            slope = (values[0] - values[1]) / 2e-7
            assert float((gradient * step).sum()) == pytest.approx(slope, rel=1e-5)

    return check
