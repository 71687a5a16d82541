"""APR: adversarial personalised ranking perturbs embeddings (arXiv 1808.03908, section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from engine.data.features import Features, of_length
from engine.foundation.config import Config
from engine.models import Recommender
from engine.objectives.batch import Step


class APRConfig(Config):
    """Adversarial training on the factors of a batch instead of features; works on any model."""

    name: Literal["apr"] = "apr"
    epsilon: float = Field(default=0.5, ge=0)
    """L2 length of each user's and item's perturbation, in the unit of the factors (0.5 in the
    paper)."""
    weight: float = Field(default=1.0, ge=0)
    """Factor lambda of the adversarial loss (1 in the paper)."""
    warm_start_epochs: int = Field(default=150, ge=0)
    """Most epochs of plain training before this term counts, ended early by ``patience``. Its best
    validation epoch is where the term starts, with a fresh optimiser; 0 for none."""

    def build(self, model: Recommender, features: Features) -> FactorAdversary:
        del model, features  # it needs neither ahead of time
        return FactorAdversary(self)


class FactorAdversary:
    """``lambda * L(U + Delta_U, V + Delta_V)``, Delta along the gradient and held constant.

    For matrix factorisation the factors are the embeddings, as published; other models are
    perturbed where their two maps end.
    """

    passes = 2

    def __init__(self, config: APRConfig) -> None:
        self.config = config

    def term(self, step: Step) -> Tensor:
        """The weighted term of one batch (a scalar)."""
        user_delta, item_delta = self.perturbation(step)
        moved = step.value_at(step.users + user_delta, step.items + item_delta)
        return self.config.weight * moved

    def perturbation(self, step: Step) -> tuple[Tensor, Tensor]:
        """Deltas of users [B, D] and items [N, D], detached; zero where the gradient is.

        A user in several triples gets the sum of its triples' gradients, as one embedding row does.
        """
        users, items = torch.autograd.grad(step.clean, (step.users, step.items), retain_graph=True)
        users, epsilon = step.batch.summed_by_user(users), self.config.epsilon
        return (
            of_length(users, users.new_full(users.shape[:-1], epsilon)),
            of_length(items, items.new_full(items.shape[:-1], epsilon)),
        )
