"""LayerGCN: layers refined by their likeness to the start (Zhou et al., arXiv 2207.11088)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.parts.graphs import (
    Propagate,
    normalised_adjacency,
    pruned_adjacency,
    sparse_tensor,
)
from engine.models.recommender import ModelConfig, ModelOutput, xavier_uniform


class LayerGCNConfig(ModelConfig):
    """Graph propagation whose layers weigh as much as they resemble the free embeddings."""

    name: Literal["layergcn"] = "layergcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""
    n_layers: int = Field(default=4, ge=1, le=8)
    """Propagation steps (4 in the released code)."""
    pruned_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the edges left out of each training epoch, drawn anew with odds that fall with the
    degrees (0, 0.1 or 0.2 in the released grid); evaluation uses all edges."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> LayerGCN:
        return LayerGCN(self, dataset, generator)


class LayerGCN(GraphRecommender):
    """``E_l = cos(S E_(l-1), E_0) S E_(l-1)`` row by row; factors are the sum of layers 1 to n.

    The cosines make it not affine. The released code draws edges by their degrees in every other
    epoch and evenly in between; here they always go by degrees, as the paper has it.
    """

    affine: ClassVar[bool] = False
    adjacency: Tensor

    def __init__(
        self, config: LayerGCNConfig, dataset: Dataset, generator: torch.Generator
    ) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        self.pruned: Tensor | None = None
        self._dataset = dataset

    def start_epoch(self, seed: int, epoch: int) -> None:
        share = self.settings.pruned_share
        if share > 0:
            kept = sparse_tensor(pruned_adjacency(self._dataset, share, seed, epoch))
            self.pruned = kept.to(self.users.device, self.users.dtype)

    def output(self, features: Features) -> ModelOutput:
        is_pruned = self.training and self.pruned is not None
        adjacency = self.pruned if is_pruned else self.adjacency
        start = layer = torch.cat([self.users, self.items])
        total = torch.zeros_like(start)
        for _ in range(self.settings.n_layers):
            walked = Propagate.apply(adjacency, adjacency, layer)
            layer = cosine_similarity(walked, start, dim=1)[:, None] * walked
            total = total + layer
        return ModelOutput(total[: self.n_users], total[self.n_users :])
