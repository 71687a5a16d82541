"""VBPR: matrix factorisation plus projected features (He and McAuley, arXiv 1510.01784)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.projection import project_rows
from engine.models.recommender import (
    MultimodalConfig,
    Recommender,
    readable_modalities,
    xavier_uniform,
)


class VBPRConfig(MultimodalConfig):
    """Matrix factorisation plus a linear projection of the item's features."""

    name: Literal["vbpr"] = "vbpr"
    form: Literal["concat", "sum"] = "concat"
    """``concat``: V_i = [q_i | A x_i + b], users twice as wide (MMRec and Mirror Gradient);
    ``sum``: V_i = q_i + A x_i (AMR's released code)."""
    width: int = Field(default=64, ge=1, le=1024)
    """Width of item embeddings and of the projection (columns)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> VBPR:
        return VBPR(self, dataset, generator)


class VBPR(Recommender):
    """Both published forms; the projection has one weight per modality and, in concat, a bias."""

    affine: ClassVar[bool] = True

    def __init__(self, config: VBPRConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.modalities = readable_modalities(config, dataset)
        self.is_concat = config.form == "concat"
        user_width = config.width * 2 if self.is_concat else config.width
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
        self.bias = nn.Parameter(torch.zeros(config.width)) if self.is_concat else None

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        return self.users if users is None else nn.functional.embedding(users, self.users)

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        return self.combine(self.project(features), items)

    def projection_weights(self) -> dict[str, Tensor]:
        return dict(self.projection.items())

    def project(self, features: Features, items: Tensor | None = None) -> Tensor:
        if items is None:
            parts = [
                (features[m] @ self.projection[m].to(features[m].dtype).T).to(self.items.dtype)
                for m in self.modalities
            ]
        else:
            parts = [project_rows(features[m], items, self.projection[m]) for m in self.modalities]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total if self.bias is None else total + self.bias

    def combine(self, projected: Tensor, items: Tensor | None = None) -> Tensor:
        free = self.items if items is None else nn.functional.embedding(items, self.items)
        return torch.cat([free, projected], dim=1) if self.is_concat else free + projected
