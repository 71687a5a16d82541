"""SLMRec: modalities teach each other from fine to coarse (Tao et al., IEEE TMM 2022)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.contrastive import info_nce
from engine.models.parts.graph_recommender import MultimodalGraphRecommender
from engine.models.parts.graphs import layer_mean, normalised_adjacency, sparse_tensor
from engine.models.parts.layers import Dense
from engine.models.recommender import ModelOutput, MultimodalConfig, xavier_uniform
from engine.models.terms import TermInputs


class SLMRecConfig(MultimodalConfig):
    """Ids and modalities walk the graph apart, are joined, and learn by contrast alone."""

    name: Literal["slmrec"] = "slmrec"
    width: int = Field(default=64, ge=2, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=3, ge=0, le=8)
    """Propagation steps over the user-item graph (3 in the released code)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrast between users and their items (0.2 as released)."""
    modality_temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrast between modalities (0.1 to 1 in the released grid)."""
    modality_weight: float = Field(default=0.1, ge=0)
    """Factor of the contrast between modalities (0.01 to 1 in the released grid)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> SLMRec:
        return SLMRec(self, dataset, generator)


class SLMRec(MultimodalGraphRecommender):
    """``U = W_u [z_u | z_u^1 | ...] + b_u``, ``V`` likewise, of LightGCN's means.

    Users start all graphs with one embedding; items with a free one, or with ``A_m x^m + a_m`` of
    features of length 1. Training minimises, over a batch of pairs (u, i), the cross-entropy of
    finding i among the batch's items by the cosine with u, and the fine-and-coarse task: with
    ``c_0 = G_0 z_i``, each modality m in turn adds the cross-entropy of finding ``P_m z_i^m`` by
    its inner product with ``c_(m-1)``, and ``c_m = G_m c_(m-1)``; the last modality's is half as
    wide. Negatives are not used. The other two tasks of the paper are left out: the released
    configuration has this one.

    The products of embeddings and ``W`` make it not affine. The released code passes scores through
    a sigmoid, which changes no order, and for two modalities has one more linear map in the chain.
    """

    affine: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    term_names = ("pairs", "modalities")
    adjacency: Tensor

    def __init__(self, config: SLMRecConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        width = config.width
        self.users = nn.Parameter(xavier_uniform(self.n_users, width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, width, generator=generator))
        n_views = len(self.modalities) + 1
        self.user_fusion = Dense(n_views * width, width, generator)
        self.item_fusion = Dense(n_views * width, width, generator)
        self.projection = nn.ModuleDict()
        self.coarse = nn.ModuleDict()
        self.fine = nn.ModuleDict()
        for m in self.modalities:
            outer = width // 2 if m == self.modalities[-1] and n_views > 2 else width
            self.projection[m] = Dense(dataset.features[m].shape[1], width, generator)
            self.coarse[m] = Dense(width, outer, generator)
            self.fine[m] = Dense(width, outer, generator)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def output(self, features: Features) -> ModelOutput:
        starts = {m: self.projection[m](normalize(features[m])) for m in self.modalities}
        views = {
            name: layer_mean(self.adjacency, self.users, items, self.settings.n_layers)
            for name, items in {"items": self.items, **starts}.items()
        }
        joined = torch.cat(list(views.values()), dim=1)
        users = self.user_fusion(joined[: self.n_users])
        items = self.item_fusion(joined[self.n_users :])
        return ModelOutput(users, items, views)

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        settings = self.settings
        chosen = batch.item_factors[batch.positive_rows]
        nodes = batch.items[batch.positive_rows] + self.n_users
        own = torch.arange(len(nodes), device=nodes.device)
        coarse, total = batch.extras["items"][nodes], chosen.new_zeros(())
        for m in self.modalities:
            coarse = self.coarse[m](coarse)
            logits = coarse @ self.fine[m](batch.extras[m][nodes]).T
            total = total + cross_entropy(logits / settings.modality_temperature, own)
        return {
            "pairs": info_nce(batch.user_factors, chosen, settings.temperature),
            "modalities": settings.modality_weight * total,
        }
