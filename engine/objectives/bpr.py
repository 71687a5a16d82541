"""What BPR minimises, and the two published ways to penalise large parameters."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor

from engine.foundation.config import Config
from engine.models import Recommender
from engine.objectives.batch import Batch

Reduction = Literal["mean", "sum"]


def bpr_loss(margins: Tensor, reduction: Reduction) -> Tensor:
    """``softplus(-(s_ui - s_uj))`` over the last axis of [..., B] (Rendle et al. 2009)."""
    losses = torch.nn.functional.softplus(-margins)
    return losses.mean(dim=-1) if reduction == "mean" else losses.sum(dim=-1)


class Regulariser(Protocol):
    """A penalty on the rows a batch uses."""

    def __call__(
        self, model: Recommender, batch: Batch, user_factors: Tensor, item_factors: Tensor
    ) -> Tensor:
        """The penalty (a scalar) for factors of the batch's users [B, D] and items [N, D]."""


class NormPenaltyConfig(Config):
    """MMRec's and Mirror Gradient's penalty: norms of the gathered matrices, not squared."""

    name: Literal["norm"] = "norm"
    weight: float = Field(default=0.01, ge=0)
    """Factor of ``(||U_u|| + ||V_i|| + ||V_j||) / B``; not comparable with the squared form's."""

    def build(self) -> Regulariser:
        def penalty(
            model: Recommender, batch: Batch, user_factors: Tensor, item_factors: Tensor
        ) -> Tensor:
            if self.weight == 0:
                return user_factors.new_zeros(())
            users, items = model.regularised(
                batch.triples.users, batch.items, user_factors, item_factors
            )
            norms = torch.linalg.vector_norm(users)
            squares = items.square().sum(dim=1)
            for rows in (batch.positive_rows, batch.negative_rows):
                norms = norms + squares.index_select(0, rows).sum().clamp_min(1e-30).sqrt()
            return self.weight * norms / len(batch.triples)

        return penalty


class SquaredPenaltyConfig(Config):
    """AMR's penalty: squared entries of a batch's user and item rows, with a rate for each.

    As in the released code an item's row is its whole factor, projected features included; graph
    models are penalised on their free embeddings.
    """

    name: Literal["squared"] = "squared"
    users: float = Field(default=0.1, ge=0)
    """Rate of the user rows (0.1 in AMR's released code)."""
    items: float = Field(default=0.001, ge=0)
    """Rate of positive and negative item rows (0.001 in AMR's released code)."""
    projection: float = Field(default=0.0, ge=0)
    """Rate of the feature projection and of every other parameter that is in neither the user nor
    the item table (0 in AMR's released code)."""
    reduction: Literal["mean", "sum"] = "sum"
    """``sum`` over the batch as released; ``mean`` where the loss is a mean as well."""

    def build(self) -> Regulariser:
        def penalty(
            model: Recommender, batch: Batch, user_factors: Tensor, item_factors: Tensor
        ) -> Tensor:
            users, items = model.regularised(
                batch.triples.users, batch.items, user_factors, item_factors
            )
            squares = items.square().sum(dim=1)
            both = squares[batch.positive_rows].sum() + squares[batch.negative_rows].sum()
            total = self.users * users.square().sum() + self.items * both
            if self.reduction == "mean":
                total = total / len(batch.triples)
            if self.projection:
                for name, parameter in model.named_parameters():
                    if model.block(name) not in ("users", "items"):
                        total = total + self.projection * parameter.square().sum()
            return total

        return penalty
