"""Losses around a run's weights: worst ones by gradient ascent, mean ones under noise.

All worst losses are lower bounds, since ascent may miss the highest.

Legend: P parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.hessian.factor_hessian import FactorLoss, TriplePattern
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.theta import ThetaSpace, factors_at, theta_of
from engine.objectives import Triples
from engine.training import Trained


class LossOfStep(Protocol):
    """A loss as a function of a step from where it is looked at."""

    def loss(self, step_P: Tensor) -> float:
        """The loss after a step."""

    def gradient(self, step_P: Tensor) -> Tensor:
        """Its gradient [P] there."""


def ascend(
    around: LossOfStep, origin_P: Tensor, step: Callable[[Tensor], Tensor], n_steps: int = 3
) -> float:
    """The highest loss met by ``s <- step(gradient at s)`` from ``origin_P``, above the loss there.

    The first step is SAM's own; each further one goes to the boundary along the new gradient.
    """
    at_P, centre = origin_P, around.loss(origin_P)
    worst = centre
    for _ in range(n_steps):
        at_P = step(around.gradient(at_P))
        worst = max(worst, around.loss(at_P))
    return worst - centre


def norm(vector_P: Tensor) -> Tensor:
    """L2 norm, never 0, to divide by."""
    return torch.linalg.vector_norm(vector_P).clamp_min(torch.finfo(vector_P.dtype).tiny)


class Neighbourhood:
    """The ranking loss on fixed triples around a run's weights."""

    def __init__(self, trained: Trained, triples: Triples) -> None:
        self.trained = trained
        self.triples = triples
        self.pattern = TriplePattern(triples, trained.dataset.n_users, trained.dataset.n_items)
        self.space = ThetaSpace.of(trained.model)
        self.origin_P = self.space.vector(theta_of(trained))
        self.no_step_P = torch.zeros_like(self.origin_P)
        self.centre = self.loss(self.no_step_P)

    def loss(self, step_P: Tensor) -> float:
        """Loss at the weights plus a step."""
        with torch.no_grad():
            users, items = factors_at(self.trained, self.space.theta(self.origin_P + step_P))
        return mean_ranking_loss(users, items, self.triples)

    def gradient(self, step_P: Tensor) -> Tensor:
        """Gradient [P] at the weights plus a step."""
        theta = self.space.theta((self.origin_P + step_P).requires_grad_())
        leaves = {name: t.detach().requires_grad_() for name, t in theta.items()}
        with torch.enable_grad():
            users, items = factors_at(self.trained, leaves)
        at = FactorLoss(users.detach(), items.detach(), self.triples, self.pattern)
        gradients = torch.autograd.grad(
            [users, items], list(leaves.values()), at.gradient(), allow_unused=True
        )
        return torch.cat(
            [
                (torch.zeros_like(leaf) if g is None else g).reshape(-1)
                for g, leaf in zip(gradients, leaves.values(), strict=True)
            ]
        )

    def worst_rise(self, step: Callable[[Tensor], Tensor]) -> float:
        """The highest loss that ``ascend`` meets, above the loss at the weights."""
        return ascend(self, self.no_step_P, step)

    def rises_under_noise(
        self, sigma: float, n_draws: int, seed: int, relative: bool
    ) -> np.ndarray:
        """The loss under each draw of Gaussian weight noise, above the loss without it [n_draws].

        The noise's deviation is ``sigma``, or ``sigma |theta_k|`` where ``relative``.
        """
        rises = []
        for draw in range(n_draws):
            noise_P = sigma * self.space.normal(torch_generator(seed, "weight noise", draw))
            rises.append(self.loss(noise_P * self.origin_P.abs() if relative else noise_P))
        return np.array(rises) - self.centre
