"""LightGCN: embeddings smoothed over the interaction graph (He et al., arXiv 2002.02126)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.parts.graphs import layer_mean, normalised_adjacency, sparse_tensor
from engine.models.recommender import ModelConfig, ModelOutput, xavier_uniform


class LightGCNConfig(ModelConfig):
    """Graph propagation of free embeddings, no features."""

    name: Literal["lightgcn"] = "lightgcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Propagation steps; the layers' embeddings are averaged (section 3.1 of the paper)."""
    initialisation: Literal["xavier", "normal"] = "xavier"
    """How embeddings start: Xavier-uniform, or normal with standard deviation 0.1 as in the
    authors' released code."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> LightGCN:
        return LightGCN(self, dataset, generator)


class LightGCN(GraphRecommender):
    """Free embeddings averaged over propagation layers; affine in them."""

    affine: ClassVar[bool] = True
    adjacency: Tensor

    def __init__(
        self, config: LightGCNConfig, dataset: Dataset, generator: torch.Generator
    ) -> None:
        super().__init__(config, dataset)
        if config.initialisation == "xavier":
            users = xavier_uniform(self.n_users, config.width, generator=generator)
            items = xavier_uniform(self.n_items, config.width, generator=generator)
        else:
            users = 0.1 * torch.randn(self.n_users, config.width, generator=generator)
            items = 0.1 * torch.randn(self.n_items, config.width, generator=generator)
        self.users, self.items = nn.Parameter(users), nn.Parameter(items)
        self.n_layers = config.n_layers
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def output(self, features: Features) -> ModelOutput:
        mean = layer_mean(self.adjacency, self.users, self.items, self.n_layers)
        return ModelOutput(mean[: self.n_users], mean[self.n_users :])
