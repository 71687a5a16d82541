"""DualGNN: users hear of items, and of users with whom they share many (IEEE TMM 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding, leaky_relu, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.graph_recommender import (
    MultimodalGraphRecommender,
    TrainableFeaturesConfig,
)
from engine.models.parts.graphs import (
    Propagate,
    compressed,
    most_common_neighbours,
    normalised_adjacency,
    softmax_of_rows,
    sparse_tensor,
)
from engine.models.parts.layers import Dense
from engine.models.recommender import Block, ModelOutput, xavier_uniform


class DualGraphConfig(TrainableFeaturesConfig):
    """What models share whose users hear of like-minded users."""

    width: int = Field(default=64, ge=1, le=1024)
    """Width of the users' preferences and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_like_minded: int = Field(default=40, ge=1, le=1000)
    """Users that a user hears of: those who share most items (40 in the released code)."""


class DualGNNConfig(DualGraphConfig):
    """Modalities walk the interactions; users weigh them and hear like-minded users."""

    name: Literal["dualgnn"] = "dualgnn"

    def build(self, dataset: Dataset, generator: torch.Generator) -> DualGNN:
        return DualGNN(self, dataset, generator)


class DualGNN(MultimodalGraphRecommender):
    """Factors ``U_u = r_u + sum_v softmax_v(n_uv) r_v`` and ``V = sum_m Z^m``.

    In each modality nodes start as ``z``, of length 1: users a free preference, items
    ``B LeakyReLU(A x^m + a) + b``; then ``Z^m = z + S z + S S z`` with S the normalised
    interactions. A user's own representation weighs the modalities, ``r_u = sum_m a_um Z^m_u``;
    the sum over v runs over the users who share most items with u, n_uv of them.

    Items have no free embedding, and LeakyReLU and the lengths make it not affine. The penalty acts
    on the preferences. MMRec's port adds the modalities up in place before it weighs them, so that
    the first counts as the sum of all; here it is as the paper has it. The port repeats drawn
    neighbours of users who have too few; here each counts once. It takes logarithms of base 2.
    """

    affine: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, Block]] = {
        **MultimodalGraphRecommender.blocks,
        "preference": "users",
        "modality_weight": "users",
    }
    adjacency: Tensor
    like_minded: Tensor
    transposed: Tensor

    def __init__(
        self, config: DualGraphConfig, dataset: Dataset, generator: torch.Generator
    ) -> None:
        super().__init__(config, dataset)
        self.n_layers = config.n_layers
        width = config.width
        self.preference = nn.ParameterDict()
        self.hidden = nn.ModuleDict()
        self.projection = nn.ModuleDict()
        for m in self.modalities:
            drawn = xavier_uniform(self.n_users, width, generator=generator)
            self.preference[m] = nn.Parameter(drawn)
            self.hidden[m] = Dense(dataset.features[m].shape[1], 4 * width, generator)
            self.projection[m] = Dense(4 * width, width, generator)
        weights = xavier_uniform(self.n_users, len(self.modalities), generator=generator)
        self.modality_weight = nn.Parameter(weights.softmax(dim=1))
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        shared = most_common_neighbours(dataset.matrix("train"), config.n_like_minded)
        like_minded = sparse_tensor(softmax_of_rows(shared))
        self.register_buffer("like_minded", like_minded, persistent=False)
        self.register_buffer(
            "transposed", compressed(like_minded.to_sparse_coo().t()), persistent=False
        )

    def output(self, features: Features) -> ModelOutput:
        seen = self.seen(features)
        nodes = [self.nodes(m, seen[m]) for m in self.modalities]
        items = sum(n[self.n_users :] for n in nodes)
        own = torch.stack([n[: self.n_users] for n in nodes], dim=2)
        users = torch.einsum("udm,um->ud", own, self.modality_weight)
        users = users + Propagate.apply(self.like_minded, self.transposed, users)
        assert isinstance(items, Tensor)
        return ModelOutput(users, items)

    def nodes(self, modality: str, x_IF: Tensor) -> Tensor:
        """One modality's representation of all users and items [N, D]."""
        projected = self.projection[modality](leaky_relu(self.hidden[modality](x_IF)))
        layer = total = normalize(torch.cat([self.preference[modality], projected]))
        for _ in range(self.n_layers):
            layer = Propagate.apply(self.adjacency, self.adjacency, layer)
            total = total + layer
        return total

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        preferences = [embedding(users, self.preference[m]) for m in self.modalities]
        return torch.cat(preferences, dim=1), item_factors.new_zeros(len(items), 1)
