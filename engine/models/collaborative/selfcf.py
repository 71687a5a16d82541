"""SelfCF: users and items predict each other, no negatives (Zhou et al., arXiv 2107.03019)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.contrastive import dropped_out
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.parts.graphs import layer_mean, normalised_adjacency, sparse_tensor
from engine.models.parts.layers import Dense
from engine.models.recommender import ModelConfig, ModelOutput, xavier_uniform
from engine.models.terms import TermInputs


class SelfCFConfig(ModelConfig):
    """LightGCN's embeddings, trained so that each predicts a dropped-out copy of its partner."""

    name: Literal["selfcf"] = "selfcf"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns); factors are twice as wide."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps over the user-item graph (1 or 2 in the released grid)."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the target's entries set to zero (0.1 to 0.5 in the released grid)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> SelfCF:
        return SelfCF(self, dataset, generator)


class SelfCF(GraphRecommender):
    """The form with embedding dropout: ``U = [P u | u]``, ``V = [v | P v]``.

    With (u, v) LightGCN's means and ``P h = W h + b``, so that ``s = <P u, v> + <u, P v>``. Over a
    batch's pairs training minimises ``-cos(P u, v') / 2 - cos(P v, u') / 2``, where ' is a target:
    dropped out, once a batch for each distinct user and item, and held constant. Negatives are not
    used, except by a penalty that counts their rows; it acts on u and v.

    The released code also drops edges at a rate drawn for every batch, which its paper does not
    have; here the graph is whole. The product of W and the embeddings makes it not affine.
    """

    affine: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    holds_constant: ClassVar[bool] = True
    term_names = ("users_predict", "items_predict")
    adjacency: Tensor

    def __init__(self, config: SelfCFConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.predictor = Dense(config.width, config.width, generator)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def output(self, features: Features) -> ModelOutput:
        mean = layer_mean(self.adjacency, self.users, self.items, self.settings.n_layers)
        predicted = self.predictor(mean)
        n_users = self.n_users
        return ModelOutput(
            torch.cat([predicted[:n_users], mean[:n_users]], dim=1),
            torch.cat([mean[n_users:], predicted[n_users:]], dim=1),
        )

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        width, share = self.settings.width, self.settings.dropout
        users, items = batch.user_factors, batch.item_factors
        distinct, places = torch.unique(batch.users, return_inverse=True)
        first = torch.full_like(distinct, len(places)).scatter_reduce(
            0, places, torch.arange(len(places), device=places.device), "amin"
        )
        rows = batch.positive_rows
        user_targets = dropped_out(users[first, width:].detach(), share, batch.generator)[places]
        item_targets = dropped_out(items[:, :width].detach(), share, batch.generator)[rows]
        of_users = cosine_similarity(users[:, :width], item_targets, dim=1).mean()
        of_items = cosine_similarity(items[rows, width:], user_targets, dim=1).mean()
        return {"users_predict": -of_users / 2, "items_predict": -of_items / 2}

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        width = self.settings.width
        return user_factors[:, width:], item_factors[:, :width]
