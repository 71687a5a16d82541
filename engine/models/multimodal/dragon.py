"""DRAGON: DualGNN's users beside FREEDOM's item graph, modalities kept apart (arXiv 2301.12097)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from engine.data import Dataset
from engine.data.features import Features
from engine.models.multimodal.dualgnn import DualGNN, DualGraphConfig
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.graphs import Propagate
from engine.models.parts.item_graph import shares_beside
from engine.models.recommender import ModelOutput


class DRAGONConfig(DualGraphConfig):
    """Users hear like-minded users, items hear those that look and read alike."""

    name: Literal["dragon"] = "dragon"
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graph (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in each modality's graph, the one to itself among them (10 as
    released)."""
    image_share: float = Field(default=0.1, ge=0, le=1)
    """Weight of the image graph (0.1 as released); the other modalities share the rest evenly, and
    all of it where no image is read. A single modality has weight 1."""
    item_graph: GraphOrigin = "rebuilt"
    """Where the item graph comes from: the features at hand, or the dataset's own as in the
    released code. The representations always see those at hand."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> DRAGON:
        return DRAGON(self, dataset, generator)


class DRAGON(DualGNN):
    """Factors are the modalities' parts side by side, M times ``width``.

    With DualGNN's ``Z^m``: ``V = z + G^n z`` for ``z = [Z^1 | Z^2 | ...]`` of the items and G the
    graph of nearest items with binary edges; ``U_u = r_u + sum_v softmax_v(n_uv) r_v`` for
    ``r_u = [a_u1 Z^1_u | a_u2 Z^2_u | ...]``. Not affine; deviations as for DualGNN.
    """

    def __init__(self, config: DRAGONConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset, generator)
        self.n_item_layers = config.n_item_layers
        shares = shares_beside("image", config.image_share, self.modalities)
        self.item_graph = FeatureGraph(dataset, shares, config.n_neighbours, config.item_graph)

    def output(self, features: Features) -> ModelOutput:
        seen = self.seen(features)
        nodes = [self.nodes(m, seen[m]) for m in self.modalities]
        items = torch.cat([n[self.n_users :] for n in nodes], dim=1)
        items = items + self.item_graph.smoothed(seen, items, self.n_item_layers)
        shares = self.modality_weight.split(1, dim=1)
        own = [a * n[: self.n_users] for a, n in zip(shares, nodes, strict=True)]
        users = torch.cat(own, dim=1)
        users = users + Propagate.apply(self.like_minded, self.transposed, users)
        return ModelOutput(users, items)
