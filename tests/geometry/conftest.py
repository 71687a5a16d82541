"""Small runs in float64 and float32, one of each model, for the oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.data import Dataset, synthetic
from engine.data.features import Features, load_features
from engine.models import Block, ModelConfig, Recommender, VBPRConfig, build_model
from engine.training import TrainConfig, Trained

MakeRun = Callable[..., Trained]

MODEL_NAMES = ["bpr-mf", "vbpr", "lightgcn", "freedom", "mmgcn", "grcn", "bm3"]
"""Every way in which weights reach a loss. The contract tests hold all models to double backward,
at sizes for which a dense oracle is too slow."""

SUM_FORM = "vbpr as amr ships it"


class Curved(Recommender):
    """A model whose factors are not affine in its weights."""

    affine = False

    def __init__(self, config: ModelConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.modalities = ("image",)
        shapes = {"users": self.n_users, "items": self.n_items}
        shapes["weight"] = dataset.features["image"].shape[1]
        for name, rows in shapes.items():
            start = torch.randn(rows, config.width, generator=generator) / 2
            setattr(self, name, torch.nn.Parameter(start))

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        chosen = self.users if users is None else self.users[users]
        return chosen + chosen**3

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        chosen = self.items if items is None else self.items[items]
        return torch.tanh(chosen + features["image"] @ self.weight)

    def embeddings(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return self.users[users], self.items[items]

    def block(self, parameter: str) -> Block:
        return "projection" if parameter == "weight" else parameter  # type: ignore[return-value]  # else users or items


@pytest.fixture(scope="session")
def few() -> Dataset:
    """14 users and 10 items: small enough for dense Hessians."""
    return synthetic(14, 10, 70, image_width=3, text_width=2, seed=1)


@pytest.fixture(scope="session")
def make_run(tiny: Dataset) -> MakeRun:
    """A run of a model by name (or 'curved') with random weights; equal seeds, equal weights."""

    def make(
        model: str = "vbpr",
        precision: str = "float64",
        seed: int = 0,
        dataset: Dataset | None = None,
        **settings: Any,
    ) -> Trained:
        data = tiny if dataset is None else dataset
        width = 4 if dataset is None else 2
        if model == "curved":
            config = TrainConfig(model=VBPRConfig(width=width), seed=seed)
            dtype = getattr(torch, precision)
            net = Curved(config.model, data, torch.Generator().manual_seed(seed)).to(dtype)
            net.eval().requires_grad_(False)
            place = torch.device("cpu")
            features = load_features(data, net.modalities, config.features, place, dtype)
            return Trained(net, data, features, config, f"curved {seed}", f"run-{seed}")
        if model == SUM_FORM:
            model, settings = "vbpr", settings | {"model.form": "sum"}
        named = TrainConfig().changed({"model": model})
        config = named.changed({"model.width": width, "seed": seed, **settings})
        built = build_model(config.model, data, seed)
        # Layers multiply; beyond margins of 20 torch rounds softplus, by more than tests allow.
        scale = 2.0 if built.affine else 1.0
        noise = torch.Generator().manual_seed(seed)
        theta = {
            n: scale * t + 0.1 * torch.randn(t.shape, generator=noise)
            for n, t in built.theta().items()
        }
        return Trained.from_weights(
            config, theta, data, f"{model} {seed}", f"run-{seed}", "cpu", precision
        )

    return make


@pytest.fixture(params=[*MODEL_NAMES, SUM_FORM, "curved"])
def any_model(request: pytest.FixtureRequest) -> str:
    """Each model's name, VBPR in its other form, and a model that is not affine."""
    return str(request.param)


def obvious_loss(run: Trained, triples, theta=None, features=None) -> Tensor:
    """The mean BPR loss from the full score matrix: slow, and easy to believe."""
    theta = theta or {n: p.detach() for n, p in run.model.named_parameters()}
    inputs = features or run.features
    users, items = torch.func.functional_call(run.model, theta, (inputs,))
    scores = users @ items.T
    margins = scores[triples.users, triples.positives] - scores[triples.users, triples.negatives]
    return torch.log1p(torch.exp(-margins)).mean()


@pytest.fixture(scope="session")
def loss_of() -> Callable[..., Tensor]:
    """``obvious_loss`` for the tests."""
    return obvious_loss
