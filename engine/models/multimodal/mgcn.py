"""MGCN: features purified by behaviour, then fused by what users prefer (arXiv 2308.03588)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.contrastive import info_nce
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.graph_recommender import (
    MultimodalGraphRecommender,
    TrainableFeaturesConfig,
)
from engine.models.parts.graphs import (
    layer_mean,
    normalised_adjacency,
    sparse_tensor,
    users_from_items,
)
from engine.models.parts.layers import Dense, Gate, Query
from engine.models.recommender import ModelOutput, xavier_uniform
from engine.models.terms import TermInputs


class MGCNConfig(TrainableFeaturesConfig):
    """Item embeddings gated by each modality, walked over its graph, and fused by attention."""

    name: Literal["mgcn"] = "mgcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over each modality's item graph (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in a modality's graph, the one to itself among them (10 as
    released)."""
    contrast_weight: float = Field(default=0.01, ge=0)
    """Factor of the contrastive loss (0.001 to 0.1 in the released grid)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrastive loss (0.2 in the released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where a modality's graph comes from: the features at hand, or the dataset's own as in the
    released code. The gates always see those at hand."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> MGCN:
        return MGCN(self, dataset, generator)


class MGCN(MultimodalGraphRecommender):
    """Factors are behaviour b, LightGCN's mean, plus side information s of users and items.

    Of each modality m, items enter with ``q * sigmoid(G_m (A_m x^m + a_m) + g_m)``, q their free
    embeddings, and walk the graph of nearest items with cosine edges to ``V^m``; users get
    ``U^m = R V^m`` with R the normalised interactions. With z^m both on top of each other:

        common = sum_m softmax_m(w' tanh(W z^m + c)) z^m
        s = (sum_m sigmoid(H_m b + h_m) * (z^m - common) + common) / (M + 1)

    with M modalities. The contrastive loss draws s and b of a batch's users together, and of its
    positive items. Gates make it not affine. The penalty acts on the factors, as released.
    """

    affine: ClassVar[bool] = False
    penalises_factors: ClassVar[bool] = True
    term_names = ("contrast",)
    adjacency: Tensor

    def __init__(self, config: MGCNConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        width = config.width
        self.users = nn.Parameter(xavier_uniform(self.n_users, width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, width, generator=generator))
        self.projection = nn.ModuleDict()
        self.gate = nn.ModuleDict()
        self.preference = nn.ModuleDict()
        self.graphs: dict[str, FeatureGraph] = {}
        for m in self.modalities:
            self.projection[m] = Dense(dataset.features[m].shape[1], width, generator)
            self.gate[m] = Gate(width, generator)
            self.preference[m] = Gate(width, generator)
            self.graphs[m] = FeatureGraph(
                dataset, {m: 1.0}, config.n_neighbours, config.item_graph, "cosine"
            )
        self.query = Query(width, 1, generator)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def output(self, features: Features) -> ModelOutput:
        seen = self.seen(features)
        behaviour = layer_mean(self.adjacency, self.users, self.items, self.settings.n_layers)
        views = [self.view(m, seen) for m in self.modalities]
        attention = torch.stack([self.query(view) for view in views]).softmax(dim=0)
        common = (attention * torch.stack(views)).sum(dim=0)
        side = common
        for m, view in zip(self.modalities, views, strict=True):
            side = side + self.preference[m](behaviour) * (view - common)
        side = side / (len(views) + 1)
        factors = behaviour + side
        extras = {"side": side, "behaviour": behaviour}
        return ModelOutput(factors[: self.n_users], factors[self.n_users :], extras)

    def view(self, modality: str, features: Features) -> Tensor:
        """One modality's embeddings of all users and items [N, D]."""
        projected = self.projection[modality](features[modality])
        items = self.graphs[modality].smoothed(
            features, self.items * self.gate[modality](projected), self.settings.n_item_layers
        )
        return users_from_items(self.adjacency, items, self.n_users)

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        positives = batch.items[batch.positive_rows] + self.n_users
        side, behaviour = batch.extras["side"], batch.extras["behaviour"]
        of_items, of_users = (
            info_nce(side[nodes], behaviour[nodes], self.settings.temperature)
            for nodes in (positives, batch.users)
        )
        return {"contrast": self.settings.contrast_weight * (of_items + of_users)}
