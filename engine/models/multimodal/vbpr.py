"""VBPR: matrix factorisation plus projected features (He and McAuley, arXiv 1510.01784)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.projection import project_rows
from engine.models.recommender import (
    Block,
    MultimodalConfig,
    Recommender,
    readable_modalities,
    xavier_uniform,
)


class VBPRConfig(MultimodalConfig):
    """Matrix factorisation plus a linear projection of the item's features."""

    name: Literal["vbpr"] = "vbpr"
    form: Literal["concat", "sum", "biased"] = "concat"
    """``concat``: V_i = [q_i | A x_i + b], users twice as wide (MMRec and Mirror Gradient);
    ``sum``: V_i = q_i + A x_i (AMR's released code); ``biased``: V_i = [q_i | A x_i | c_i + d'x_i],
    with an item's and a visual bias that all users share (the paper's equation 4)."""
    width: int = Field(default=64, ge=1, le=1024)
    """Width of item embeddings and of the projection (columns)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> VBPR:
        return VBPR(self, dataset, generator)


class VBPR(Recommender):
    """The published forms; the projection has one weight per modality and, in concat, a bias.

    A bias of scores is a column of the item factors that meets a 1 in every user's. Those that do
    not tell items apart, a user's and the overall one, are left out: they change no order.
    """

    affine: ClassVar[bool] = True
    blocks: ClassVar[Mapping[str, Block]] = {
        "users": "users",
        "items": "items",
        "item_bias": "items",
    }

    def __init__(self, config: VBPRConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.form = config.form
        user_width = config.width if config.form == "sum" else config.width * 2
        self.users = nn.Parameter(xavier_uniform(self.n_users, user_width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        widths = {m: int(dataset.features[m].shape[1]) for m in self.modalities}
        total = sum(widths.values())
        self.projection = nn.ParameterDict(
            {
                m: nn.Parameter(
                    xavier_uniform(config.width, widths[m], generator=generator, fan_in=total)
                )
                for m in self.modalities
            }
        )
        is_concat, is_biased = config.form == "concat", config.form == "biased"
        self.bias = nn.Parameter(torch.zeros(config.width)) if is_concat else None
        self.item_bias = nn.Parameter(torch.zeros(self.n_items, 1)) if is_biased else None
        self.feature_bias = nn.ParameterDict(
            {m: nn.Parameter(torch.zeros(1, w)) for m, w in widths.items() if is_biased}
        )

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        rows = self.users if users is None else embedding(users, self.users)
        if self.form != "biased":
            return rows
        return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        return self.combine(self.project(features), items)

    def projection_weights(self) -> dict[str, Tensor]:
        if self.form != "biased":
            return dict(self.projection.items())
        return {m: torch.cat([w, self.feature_bias[m]]) for m, w in self.projection.items()}

    def project(self, features: Features, items: Tensor | None = None) -> Tensor:
        weights = self.projection_weights()
        if items is None:
            parts = [
                (features[m] @ weights[m].to(features[m].dtype).T).to(self.items.dtype)
                for m in self.modalities
            ]
        else:
            parts = [project_rows(features[m], items, weights[m]) for m in self.modalities]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total if self.bias is None else total + self.bias

    def combine(self, projected: Tensor, items: Tensor | None = None) -> Tensor:
        free = self.items if items is None else embedding(items, self.items)
        if self.form == "sum":
            return free + projected
        if self.item_bias is not None:
            own = self.item_bias if items is None else embedding(items, self.item_bias)
            narrow, shared = projected[..., :-1], projected[..., -1:]
            return torch.cat([free, narrow, shared + own], dim=-1)
        return torch.cat([free, projected], dim=-1)
