"""PGL: trained on the principal part of the interactions (Yu et al., AAAI 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.contrastive import dropped_out, info_nce
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.graph_recommender import (
    MultimodalGraphRecommender,
    TrainableFeaturesConfig,
)
from engine.models.parts.graphs import (
    layer_mean,
    normalised_adjacency,
    pruned_adjacency,
    sparse_tensor,
)
from engine.models.parts.item_graph import shares_beside
from engine.models.parts.layers import Dense
from engine.models.recommender import Block, ModelOutput, xavier_uniform
from engine.models.terms import TermInputs


class PGLConfig(TrainableFeaturesConfig):
    """Projected features and users' preferences, walked over a drawn part of the interactions."""

    name: Literal["pgl"] = "pgl"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the users' preferences and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graph (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in each modality's graph, the one to itself among them (10 as
    released)."""
    image_share: float = Field(default=0.1, ge=0, le=1)
    """Weight of the image graph (0.1 as released); the other modalities share the rest evenly, and
    all of it where no image is read. A single modality has weight 1."""
    pruned_share: float = Field(default=0.7, ge=0, lt=1)
    """Share of the user-item edges left out of each training epoch, drawn anew with odds that fall
    with the degrees (0.7 as released); evaluation uses all edges."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the entries left out of the two views that the contrast draws together (0.2 as
    released)."""
    contrast_weight: float = Field(default=0.01, ge=0)
    """Factor of the contrastive loss (the released configuration has 0; a trial's choice)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrastive loss (0.2 in the released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where the item graph comes from: the features at hand, or the dataset's own as in the
    released code. The projections always see those at hand."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> PGL:
        return PGL(self, dataset, generator)


class PGL(MultimodalGraphRecommender):
    """``U`` and ``V + G^n v`` with (U, V) LightGCN's means of ``u = [p^1 | p^2 | ...]`` and v.

    p^m are free preferences; ``v = [n(A_1 x^1 + a_1) | ...]`` has parts of length 1; G is the graph
    of nearest items with binary edges. In training the walk is over a drawn subgraph, the paper's
    local extraction; the global one, by singular vectors, is not offered. The contrastive loss
    draws two dropped-out copies of a batch's users together, and of its positive items, the mean of
    both. The penalty acts on the preferences. The lengths make it not affine.
    """

    affine: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, Block]] = {
        **MultimodalGraphRecommender.blocks,
        "preference": "users",
    }
    term_names = ("contrast",)
    adjacency: Tensor

    def __init__(self, config: PGLConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.preference = nn.ParameterDict()
        self.projection = nn.ModuleDict()
        for m in self.modalities:
            drawn = xavier_uniform(self.n_users, config.width, generator=generator)
            self.preference[m] = nn.Parameter(drawn)
            self.projection[m] = Dense(dataset.features[m].shape[1], config.width, generator)
        shares = shares_beside("image", config.image_share, self.modalities)
        self.item_graph = FeatureGraph(dataset, shares, config.n_neighbours, config.item_graph)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        self.pruned: Tensor | None = None
        self._dataset = dataset

    def start_epoch(self, seed: int, epoch: int) -> None:
        share = self.settings.pruned_share
        if share > 0:
            like = next(self.parameters())
            kept = sparse_tensor(pruned_adjacency(self._dataset, share, seed, epoch))
            self.pruned = kept.to(like.device, like.dtype)

    def output(self, features: Features) -> ModelOutput:
        seen, settings = self.seen(features), self.settings
        adjacency = self.pruned if self.training and self.pruned is not None else self.adjacency
        users = torch.cat([self.preference[m] for m in self.modalities], dim=1)
        items = torch.cat([normalize(self.projection[m](seen[m])) for m in self.modalities], dim=1)
        mean = layer_mean(adjacency, users, items, settings.n_layers)
        smooth = self.item_graph.smoothed(seen, items, settings.n_item_layers)
        return ModelOutput(mean[: self.n_users], mean[self.n_users :] + smooth)

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        total = batch.user_factors.new_zeros(())
        for rows in (batch.user_factors, batch.item_factors[batch.positive_rows]):
            one, other = (
                dropped_out(rows, self.settings.dropout, batch.generator) for _ in range(2)
            )
            total = total + info_nce(one, other, self.settings.temperature) / 2
        return {"contrast": self.settings.contrast_weight * total}

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        preferences = [embedding(users, self.preference[m]) for m in self.modalities]
        return torch.cat(preferences, dim=1), item_factors.new_zeros(len(items), 1)
