"""BPR-MF: matrix factorisation without features (Rendle et al., UAI 2009)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.recommender import ModelConfig, Recommender, xavier_uniform


class BPRMFConfig(ModelConfig):
    """Matrix factorisation: one free vector a user and an item."""

    name: Literal["bpr-mf"] = "bpr-mf"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> BPRMF:
        return BPRMF(self, dataset, generator)


class BPRMF(Recommender):
    """``V_i = q_i``; the yardstick without any feature to perturb."""

    affine: ClassVar[bool] = True

    def __init__(self, config: BPRMFConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        return self.users if users is None else nn.functional.embedding(users, self.users)

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        return self.items if items is None else nn.functional.embedding(items, self.items)
