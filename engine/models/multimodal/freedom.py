"""FREEDOM: frozen item graph, pruned user-item graph (Zhou and Shen, arXiv 2211.06924)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
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
from engine.models.recommender import ModelOutput, xavier_uniform
from engine.models.terms import TermInputs


class FREEDOMConfig(TrainableFeaturesConfig):
    """Embeddings smoothed over the interaction graph and a graph of items with alike features."""

    name: Literal["freedom"] = "freedom"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Propagation steps over the user-item graph (2 in the released code)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graph (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in each modality's graph, the one to itself among them (10 in
    the released configuration)."""
    image_share: float = Field(default=0.1, ge=0, le=1)
    """Weight of the image graph (0.1 in the released configuration); the other modalities share the
    rest evenly, and all of it where no image is read. A single modality has weight 1."""
    pruned_share: float = Field(default=0.8, ge=0, lt=1)
    """Share of the user-item edges left out of each training epoch, drawn anew with odds that fall
    with the degrees (0.8 or 0.9 released); evaluation uses all edges."""
    modality_weight: float = Field(default=1e-3, ge=0)
    """Factor of the BPR losses by which users rank projected features (grid 0 to 1e-3 in the
    released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where perturbed features come in: ``rebuilt`` finds neighbours in the features it is given;
    ``frozen`` keeps those of the dataset's own, as the released code does, so that features changed
    after training change no score at all."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> FREEDOM:
        return FREEDOM(self, dataset, generator)


class FREEDOM(MultimodalGraphRecommender):
    """``U = mean of layers``, ``V = mean of layers + S^n q`` with S the item graph; affine.

    Features reach the scores through S alone; ``item_graph.py`` says what its gradient by them is.
    Beside the ranking loss, users rank the projected features ``W_m x_i^m + b_m``;
    these projections are used nowhere else.

    Trainable features serve the projections, as in the released code; the graph is of those that
    the model is given. The released code starts projections from torch's default, here Xavier's.
    It has no penalty on embeddings: set ``objective.regulariser.weight`` to 0 for that. It counts
    zero rows as neighbours of anything.
    """

    affine: ClassVar[bool] = True
    adjacency: Tensor

    def __init__(self, config: FREEDOMConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.projection = nn.ParameterDict()
        self.bias = nn.ParameterDict()
        for m in self.modalities:
            width = int(dataset.features[m].shape[1])
            weight = xavier_uniform(config.width, width, generator=generator)
            self.projection[m] = nn.Parameter(weight)
            self.bias[m] = nn.Parameter(torch.zeros(config.width))
        self.term_names = tuple(f"{m}_ranking" for m in self.modalities)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        self.pruned: Tensor | None = None
        self._dataset = dataset
        shares = shares_beside("image", config.image_share, self.modalities)
        self.item_graph = FeatureGraph(dataset, shares, config.n_neighbours, config.item_graph)

    def start_epoch(self, seed: int, epoch: int) -> None:
        share = self.settings.pruned_share
        if share > 0:
            kept = sparse_tensor(pruned_adjacency(self._dataset, share, seed, epoch))
            self.pruned = kept.to(self.users.device, self.users.dtype)

    def output(self, features: Features) -> ModelOutput:
        is_pruned = self.training and self.pruned is not None
        adjacency = self.pruned if is_pruned else self.adjacency
        assert adjacency is not None
        mean = layer_mean(adjacency, self.users, self.items, self.settings.n_layers)
        smooth = self.item_graph.smoothed(features, self.items, self.settings.n_item_layers)
        items = mean[self.n_users :] + smooth
        return ModelOutput(mean[: self.n_users], items)

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        found, seen = {}, self.seen(batch.features)
        for m in self.modalities:
            chosen = seen[m].index_select(0, batch.items)
            weight = self.projection[m]
            projected = (chosen @ weight.to(chosen.dtype).T).to(weight.dtype) + self.bias[m]
            gaps = projected[batch.positive_rows] - projected[batch.negative_rows]
            loss = batch.ranking((batch.user_factors * gaps).sum(dim=1))
            found[f"{m}_ranking"] = self.settings.modality_weight * loss
        return found
