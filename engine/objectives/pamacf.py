"""PamaCF: adversarial factors, each user's as strong as its factor is long (arXiv 2410.22844).

For a triple (u, i, j) the ranking loss grows fastest along ``V_j - V_i`` in ``U_u``, along ``-U_u``
in ``V_i`` and along ``U_u`` in ``V_j``, so that the three perturbations need no gradient pass.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError
from engine.models import Recommender
from engine.objectives.batch import Step


class PamaCFConfig(Config):
    """Adversarial training on factors with a magnitude for each user."""

    name: Literal["pamacf"] = "pamacf"
    epsilon: float = Field(default=0.5, ge=0)
    """L2 length of the perturbations of a user of mean squared length, in the unit of the factors
    (0.3 to 0.9 by dataset in the released code)."""
    spread: float = Field(default=2.0, ge=0)
    """Factor of ``sigmoid(||U_u||^2 / mean ||U||^2 - 1)``, by which epsilon is multiplied; the mean
    is the batch's. 2, as released, leaves epsilon as it is at the mean."""
    weight: float = Field(default=1.0, ge=0)
    """Factor lambda of the adversarial loss (1 in the released code)."""
    warm_start_epochs: int = Field(default=150, ge=0)
    """Most epochs of plain training before this term counts, ended early by ``patience``. Its best
    validation epoch is where the term starts, with a fresh optimiser; 0 for none."""

    def build(self, model: Recommender, features: Features) -> PersonalAdversary:
        """Raises ConfigError for a model that minimises no ranking loss."""
        del features
        if not model.ranks:
            raise ConfigError(
                "objective.adversary pamacf works against the ranking loss, which "
                f"{type(model).__name__} does not minimise; choose apr, or another model."
            )
        return PersonalAdversary(self)


class PersonalAdversary:
    """``lambda * L(U_u + D_u, V_i + D_i, V_j + D_j)`` of each triple, the perturbations constant.

    An item in several triples is perturbed in each by itself, as released. For matrix factorisation
    factors are embeddings, as published; other models are perturbed where their two maps end.
    """

    passes = 1

    def __init__(self, config: PamaCFConfig) -> None:
        self.config = config

    def term(self, step: Step) -> Tensor:
        """The weighted term of one batch (a scalar)."""
        gap = self.item_gap(step)
        users, items = self.perturbation(step.users.detach(), gap.detach())
        margins = ((step.users + users) * (gap + items)).sum(dim=1)
        return self.config.weight * step.loss(margins)

    @staticmethod
    def item_gap(step: Step) -> Tensor:
        """``V_i - V_j`` of each triple [B, D]."""
        positives = torch.nn.functional.embedding(step.batch.positive_rows, step.items)
        return positives - torch.nn.functional.embedding(step.batch.negative_rows, step.items)

    def perturbation(self, users: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        """``D_u`` [B, D] and ``D_i - D_j`` [B, D] from users and item gaps [B, D]."""
        squares = users.square().sum(dim=1)
        personal = torch.sigmoid(squares / squares.mean().clamp_min(1e-9) - 1.0)
        lengths = self.config.epsilon * self.config.spread * personal
        return of_length(-gap, lengths), -2.0 * of_length(users, lengths)
