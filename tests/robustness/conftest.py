"""Models of every kind the room must serve, on one tiny dataset; none is trained for long."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from engine.models import VBPRConfig
from engine.models.multimodal.vbpr import VBPR
from engine.training import TrainConfig, Trained, fit

MODELS = ("concat", "sum", "bent", "graph")


class Bent(VBPR):
    """Row-local but not linear in the features: the general route of a row-local model."""

    def item_factors(self, features, items=None):
        free = self.items if items is None else self.items[items]
        return torch.cat([free, torch.tanh(VBPR.project(self, features))], dim=1)

    project = None  # not a LinearProjection


class Graph(VBPR):
    """Item factors averaged with the next item's, user factors with an item's: nothing is local."""

    row_local = False
    project = None

    def item_factors(self, features, items=None):
        own = torch.cat([self.items, torch.tanh(VBPR.project(self, features))], dim=1)
        mixed = 0.7 * own + 0.3 * own.roll(1, dims=0)
        return mixed if items is None else mixed[items]

    def user_factors(self, features, users=None):
        items = Graph.item_factors(self, features)
        near = items[torch.arange(self.n_users) % self.n_items]
        factors = self.users + 0.1 * near
        return factors if users is None else factors[users]


def named(tiny):
    """The tiny dataset with four categories and a few items flagged as noise."""
    categories = [("red", "green", "blue", "blue")[i % 4] for i in range(tiny.n_items)]
    noise = ["image" if i % 10 == 0 else "" for i in range(tiny.n_items)]
    return replace(tiny, items=pd.DataFrame({"category": categories, "noise": noise}))


def build(kind: str, tiny, precision: str = "float64") -> Trained:
    """A model of a kind, trained for a few epochs, in float64 unless told otherwise."""
    form = "sum" if kind == "sum" else "concat"
    config = TrainConfig(
        model=VBPRConfig(width=6, form=form), epochs=8, batch_size=256, precision="float64",
        device="cpu",
    )  # fmt: skip
    trained = fit(tiny, config)
    done = Trained.from_weights(
        config, trained.model.theta(), tiny, label=kind, device="cpu", precision=precision
    )
    if kind in ("bent", "graph"):
        done.model.__class__ = {"bent": Bent, "graph": Graph}[kind]
    return done


@pytest.fixture(scope="session")
def shop(tiny):
    return named(tiny)


@pytest.fixture(scope="session")
def trained_models(shop):
    return {kind: build(kind, shop) for kind in MODELS}


@pytest.fixture(params=MODELS)
def trained(request, trained_models):
    return trained_models[request.param]


@pytest.fixture(scope="session")
def linear(trained_models):
    return trained_models["concat"]


@pytest.fixture(scope="session")
def featureless(shop):
    config = TrainConfig.parse({"model": {"name": "bpr-mf", "width": 6}, "epochs": 3})
    config = config.changed({"device": "cpu"})
    done = fit(shop, config)
    return Trained(done.model, shop, done.features, config, label="mf")
