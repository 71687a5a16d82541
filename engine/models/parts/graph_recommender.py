"""What models have in common whose factors come from a graph: all of them, or none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from engine.data import Dataset
from engine.data.features import Features
from engine.models.recommender import (
    Block,
    ModelOutput,
    MultimodalConfig,
    Recommender,
    readable_modalities,
)


class TrainableFeaturesConfig(MultimodalConfig):
    """Base of the configs of models whose released code trains the features themselves."""

    trainable_features: bool = False
    """Train the features along with the model, as the released code does. Perturbations still reach
    it; each takes as many more weights as the features have entries."""


def feature_offsets(
    config: MultimodalConfig, dataset: Dataset, modalities: tuple[str, ...]
) -> nn.ParameterDict:
    """What training adds to the features [n_items, width], zeros at first; empty if it does not."""
    is_trained = isinstance(config, TrainableFeaturesConfig) and config.trainable_features
    shapes = {m: dataset.features[m].shape for m in modalities if is_trained}
    return nn.ParameterDict({m: nn.Parameter(torch.zeros(s)) for m, s in shapes.items()})


class GraphRecommender(Recommender):
    """Base of models that make every factor in ``output`` and give rows of them.

    Penalties act on the free embeddings ``users`` [n_users, .] and ``items`` [n_items, .], or on
    the factors where a model says so.
    """

    penalises_factors: ClassVar[bool] = False
    users: nn.Parameter
    items: nn.Parameter

    @abstractmethod
    def output(self, features: Features) -> ModelOutput:
        """Factors of all users and items, and what the model's terms need besides."""

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        output = self.output(features)
        return output.users, output.items

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[0]
        return factors if users is None else factors[users]

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[1]
        return factors if items is None else factors[items]

    def batch_factors(
        self, features: Features, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        user_factors, item_factors = self.forward(features)
        return user_factors[users], item_factors[items]

    def batch_output(self, features: Features, users: Tensor, items: Tensor) -> ModelOutput:
        whole = self.output(features)
        return ModelOutput(whole.users[users], whole.items[items], whole.extras)

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.penalises_factors:
            return user_factors, item_factors
        return embedding(users, self.users), embedding(items, self.items)


class MultimodalGraphRecommender(GraphRecommender):
    """Base of graph models that read features, which may be made trainable.

    Trainable features are those it is given plus an offset that starts at zero, so that a change of
    the features still reaches the scores.
    """

    row_local: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, Block]] = {
        "users": "users",
        "items": "items",
        "feature_offset": "features",
    }

    def __init__(self, config: MultimodalConfig, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.feature_offset = feature_offsets(config, dataset, self.modalities)

    def seen(self, features: Features) -> Features:
        """The features [n_items, width] as the model reads them, by modality."""
        if not len(self.feature_offset):
            return {m: features[m] for m in self.modalities}
        return {m: features[m] + self.feature_offset[m] for m in self.modalities}
