"""LightGCN: embeddings smoothed over the interaction graph (He et al., arXiv 2002.02126)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.graphs import layer_mean, normalised_adjacency, sparse_tensor
from engine.models.recommender import Block, ModelConfig, Recommender, xavier_uniform


class LightGCNConfig(ModelConfig):
    """Graph propagation of free embeddings, no features."""

    name: Literal["lightgcn"] = "lightgcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Propagation steps; the layers' embeddings are averaged (section 3.1 of the paper)."""


class LightGCN(Recommender):
    """Free embeddings averaged over propagation layers; affine in them."""

    affine: ClassVar[bool] = True
    adjacency: Tensor

    def __init__(
        self, config: LightGCNConfig, dataset: Dataset, generator: torch.Generator
    ) -> None:
        super().__init__(config, dataset)
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.n_layers = config.n_layers
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        mean = layer_mean(self.adjacency, self.users, self.items, self.n_layers)
        return mean[: self.n_users], mean[self.n_users :]

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

    def embeddings(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return (
            nn.functional.embedding(users, self.users),
            nn.functional.embedding(items, self.items),
        )

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.embeddings(users, items)

    def block(self, parameter: str) -> Block:
        return "users" if parameter == "users" else "items"
