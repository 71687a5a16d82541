"""LATTICE: a graph of items learnt from their projected features (arXiv 2104.09036)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.graph_recommender import (
    MultimodalGraphRecommender,
    TrainableFeaturesConfig,
)
from engine.models.parts.graphs import averaging, bipartite, compressed, layer_mean, sparse_tensor
from engine.models.parts.item_graph import edges, over_edges, unit_rows
from engine.models.parts.layers import Dense
from engine.models.recommender import ModelOutput, xavier_uniform


class LATTICEConfig(TrainableFeaturesConfig):
    """Items gain from those that look alike, in the features and in what training makes of them."""

    name: Literal["lattice"] = "lattice"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graph (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in each graph, the one to itself among them (10 as released)."""
    feature_share: float = Field(default=0.9, ge=0, le=1)
    """Weight lambda of the graph of the features themselves; the learnt graph has the rest (0.9 in
    the released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where the graph of the features themselves comes from: the features at hand, or the
    dataset's own as in the released code. The learnt graph always sees those at hand."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> LATTICE:
        return LATTICE(self, dataset, generator)


class LATTICE(MultimodalGraphRecommender):
    """``V = LightGCN's items + h / |h|`` with h the items' embeddings over the item graph.

    Each modality has two graphs of nearest items with cosine edges: of its features, and of their
    projection ``W_m x_i^m + b_m``. With trained shares ``softmax(a)`` of the modalities,
    ``S = lambda sum_m a_m F_m + (1 - lambda) N(sum_m a_m P_m)``, N the symmetric normalisation.

    The learnt graph depends on the weights, so the maps are not affine. Which items are neighbours
    in it is found once a training epoch, as released, and anew whenever the model is evaluated. The
    released code lets gradients into the learnt graph in an epoch's first batch only; here they
    always count. As there, the user-item graph has self-loops and averages over neighbours, and the
    penalty acts on the factors.
    """

    affine: ClassVar[bool] = False
    penalises_factors: ClassVar[bool] = True
    mean: Tensor
    transposed: Tensor

    def __init__(self, config: LATTICEConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.projection = nn.ModuleDict(
            {
                m: Dense(dataset.features[m].shape[1], config.width, generator)
                for m in self.modalities
            }
        )
        n_modalities = len(self.modalities)
        self.modality_weight = nn.Parameter(torch.full((n_modalities,), 1.0 / n_modalities))
        graph = bipartite(dataset.matrix("train"))
        mean = sparse_tensor(averaging(graph + sparse.identity(graph.shape[0])))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("transposed", compressed(mean.to_sparse_coo().t()), persistent=False)
        self.graphs = {
            m: FeatureGraph(dataset, {m: 1.0}, config.n_neighbours, config.item_graph, "cosine")
            for m in self.modalities
        }
        self._neighbours: dict[str, Tensor] | None = None

    def start_epoch(self, seed: int, epoch: int) -> None:
        self._neighbours = {}

    def output(self, features: Features) -> ModelOutput:
        settings, seen = self.settings, self.seen(features)
        shares = self.modality_weight.softmax(dim=0)
        near_IE, weights_IE = self.learnt_edges(seen, shares)
        smooth = self.items
        for _ in range(settings.n_item_layers):
            learnt = over_edges(near_IE, weights_IE, smooth)
            of_features = [
                share * self.graphs[m].smoothed(seen, smooth, 1)
                for share, m in zip(shares, self.modalities, strict=True)
            ]
            own = sum(of_features[1:], start=of_features[0])
            smooth = (1.0 - settings.feature_share) * learnt + settings.feature_share * own
        mean = layer_mean(self.mean, self.users, self.items, settings.n_layers, self.transposed)
        return ModelOutput(mean[: self.n_users], mean[self.n_users :] + normalize(smooth))

    def learnt_edges(self, features: Features, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbours and weights [I, E] of the graph of projected features, all modalities."""
        neighbours, values = [], []
        for share, m in zip(shares, self.modalities, strict=True):
            unit_ID = unit_rows(self.projection[m](features[m]))
            near_Ik = self.neighbours_of(m, unit_ID.detach())
            cosines_Ik = (unit_ID[:, None] * embedding(near_Ik, unit_ID)).sum(dim=2)
            neighbours.append(near_Ik)
            values.append(share * cosines_Ik.clamp_min(0))
        near_IE, values_IE = torch.cat(neighbours, dim=1), torch.cat(values, dim=1)
        degrees_I = values_IE.sum(dim=1)
        # An item without any similar one, e.g. without features, has edges of weight 0.
        degrees_I = torch.where(degrees_I > 0, degrees_I, torch.ones_like(degrees_I))
        return near_IE, values_IE * (degrees_I[:, None] * degrees_I[near_IE]).rsqrt()

    def neighbours_of(self, modality: str, unit_ID: Tensor) -> Tensor:
        """The nearest items [I, k] in a projection; in training, of the epoch's first batch."""
        if not self.training or self._neighbours is None:
            return edges(unit_ID, self.settings.n_neighbours)[0]
        if modality not in self._neighbours:
            self._neighbours[modality] = edges(unit_ID, self.settings.n_neighbours)[0]
        return self._neighbours[modality]
