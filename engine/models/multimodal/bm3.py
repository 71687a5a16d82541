"""BM3: bootstrapped multimodal recommendation, no negatives (Zhou et al., arXiv 2207.05969)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, embedding

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.contrastive import dropped_out
from engine.models.parts.graph_recommender import TrainableFeaturesConfig, feature_offsets
from engine.models.parts.graphs import layer_mean, normalised_adjacency, sparse_tensor
from engine.models.recommender import (
    Block,
    ModelOutput,
    Recommender,
    readable_modalities,
    xavier_uniform,
)
from engine.models.terms import TermInputs, without_gradient


class BM3Config(TrainableFeaturesConfig):
    """Embeddings that learn to predict each other, and features to predict them; no negatives."""

    name: Literal["bm3"] = "bm3"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the user-item graph (1 or 2 in the released grid)."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the target's entries set to zero (0.3 or 0.5 in the released grid)."""
    contrast_weight: float = Field(default=2.0, ge=0)
    """Factor of the losses on features (2 in the released code)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> BM3:
        return BM3(self, dataset, generator)


class BM3(Recommender):
    """``U = W u + b``, ``V = W v + b`` with (u, v) LightGCN's means, v plus the item's embedding.

    Training minimises no ranking loss, only the declared terms over a batch's pairs (u, i), each a
    mean of ``1 - cosine``:

    - reconstruction: ``(U_u, v_i')`` and ``(V_i, u_u')``;
    - alignment: ``(P_i^m, v_i')``, with ``P_i^m = W (A_m x_i^m + a_m) + b``;
    - masking: ``(P_i^m, (A_m x_i^m + a_m)')``,

    where ' is a target: dropped out and held constant. It is drawn once a batch for each distinct
    user and item. In an analysis of the objective the draws are frozen, and targets held constant
    as in training. Negatives are not used, except by a penalty that counts their rows.

    Scores see no features, so no change of features after training moves them; gradients by
    features are zero there, and an adversary works through the terms. The ranking loss that slices
    and curvature show is not what was minimised; ``objective`` is.

    The released code trains the features along, here an option. It penalises whole
    tables of u and v by their norms; here the config's penalty acts on the batch's embeddings.
    """

    affine: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    holds_constant: ClassVar[bool] = True
    blocks: ClassVar[Mapping[str, Block]] = {
        "users": "users",
        "items": "items",
        "feature_offset": "features",
    }
    adjacency: Tensor

    def __init__(self, config: BM3Config, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.modalities = readable_modalities(config, dataset)
        self.feature_offset = feature_offsets(config, dataset, self.modalities)
        width = config.width
        self.users = nn.Parameter(xavier_uniform(self.n_users, width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, width, generator=generator))
        self.predictor = nn.Parameter(xavier_uniform(width, width, generator=generator))
        self.predictor_bias = nn.Parameter(torch.zeros(width))
        self.projection = nn.ParameterDict()
        self.projection_bias = nn.ParameterDict()
        for m in self.modalities:
            shape = width, int(dataset.features[m].shape[1])
            self.projection[m] = nn.Parameter(xavier_uniform(*shape, generator=generator))
            self.projection_bias[m] = nn.Parameter(torch.zeros(width))
        self.term_names = ("reconstruction",)
        for m in self.modalities:
            self.term_names += (f"{m}_alignment", f"{m}_masking")
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def online(self) -> tuple[Tensor, Tensor]:
        """``u`` [n_users, D] and ``v`` [n_items, D], before the predictor."""
        mean = layer_mean(self.adjacency, self.users, self.items, self.settings.n_layers)
        return mean[: self.n_users], mean[self.n_users :] + self.items

    def predicted(self, rows: Tensor) -> Tensor:
        """``W h + b`` of rows h [., D]."""
        return rows @ self.predictor.T + self.predictor_bias

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        rows = self.online()[0]
        return self.predicted(rows if users is None else embedding(users, rows))

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        rows = self.online()[1]
        factors = self.predicted(rows if items is None else embedding(items, rows))
        return without_gradient(factors, features)

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        users, items = self.online()
        return self.predicted(users), without_gradient(self.predicted(items), features)

    def batch_factors(
        self, features: Features, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        output = self.batch_output(features, users, items)
        return output.users, output.items

    def batch_output(self, features: Features, users: Tensor, items: Tensor) -> ModelOutput:
        user_rows, item_rows = self.online()
        return ModelOutput(
            self.predicted(embedding(users, user_rows)),
            without_gradient(self.predicted(embedding(items, item_rows)), features),
            {"users": user_rows.detach(), "items": item_rows.detach()},
        )

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        rows = batch.positive_rows
        share = self.settings.dropout
        users, items = batch.extras["users"], batch.extras["items"]
        distinct, places = torch.unique(batch.users, return_inverse=True)
        user_targets = dropped_out(users[distinct], share, batch.generator)[places]
        item_targets = dropped_out(items[batch.items], share, batch.generator)[rows]
        found = {
            "reconstruction": apart(batch.user_factors, item_targets)
            + apart(batch.item_factors[rows], user_targets)
        }
        for m in self.modalities:
            x_NF, weight = batch.features[m], self.projection[m]
            if m in self.feature_offset:
                x_NF = x_NF + self.feature_offset[m][batch.items]
            projected = (x_NF @ weight.to(x_NF.dtype).T).to(weight.dtype) + self.projection_bias[m]
            predicted = self.predicted(projected)[rows]
            own = dropped_out(projected.detach(), share, batch.generator)[rows]
            factor = self.settings.contrast_weight
            found[f"{m}_alignment"] = factor * apart(predicted, item_targets)
            found[f"{m}_masking"] = factor * apart(predicted, own)
        return found

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        return embedding(users, self.users), embedding(items, self.items)


def apart(online: Tensor, target: Tensor) -> Tensor:
    """Mean of ``1 - cosine`` over rows [B, D] (a scalar)."""
    return 1 - cosine_similarity(online, target, dim=1).mean()
