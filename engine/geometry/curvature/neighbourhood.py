"""Flatness measures that look at losses around the weights, raw and rescaling-invariant.

A raw measure moves under ``U -> cU, V -> V/c``, which leaves every score as it is (arXiv
1703.04933); its companion scales the ball, box or noise by the weights' own sizes and does not.
All worst losses are found by gradient ascent, so they are lower bounds.

Legend: P parameters, T triples, I items, M modalities.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.hessian.factor_hessian import (
    FactorHessian,
    FactorLoss,
    TriplePattern,
)
from engine.geometry.curvature.hessian.lanczos import Eigenpairs, extreme_eigenpairs
from engine.geometry.ranking_loss import mean_ranking_loss
from engine.geometry.theta import ThetaSpace, factors_at, theta_of
from engine.objectives import Triples
from engine.training import Trained


class Neighbourhood:
    """The ranking loss on frozen triples around a run's weights."""

    def __init__(self, trained: Trained, triples: Triples) -> None:
        self.trained = trained
        self.triples = triples
        self.pattern = TriplePattern(triples, trained.dataset.n_users, trained.dataset.n_items)
        self.space = ThetaSpace.of(trained.model)
        self.origin_P = self.space.vector(theta_of(trained))
        self.centre = self.loss(torch.zeros_like(self.origin_P))

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
        slopes = at.gradient()
        found = torch.autograd.grad(
            [users, items], list(leaves.values()), slopes, allow_unused=True
        )
        return torch.cat(
            [
                (torch.zeros_like(leaf) if g is None else g).reshape(-1)
                for g, leaf in zip(found, leaves.values(), strict=True)
            ]
        )

    def ascend(self, step: Callable[[Tensor, Tensor], Tensor], n_steps: int) -> float:
        """The highest loss met by ``s <- step(s, gradient)`` from s = 0, above the centre's."""
        at_P = torch.zeros_like(self.origin_P)
        worst = self.centre
        for _ in range(n_steps):
            at_P = step(at_P, self.gradient(at_P))
            worst = max(worst, self.loss(at_P))
        return worst - self.centre


def ball_sharpness(around: Neighbourhood, rho: float, n_steps: int = 3) -> float:
    """``max L(theta + d) - L(theta)`` over ``||d||_2 <= rho``: SAM's measure (arXiv 2010.01412).

    The first step is SAM's own; each further one goes to the boundary along the new gradient.
    """
    return around.ascend(lambda _, g: rho * g / _norm(g), n_steps)


def adaptive_sharpness(around: Neighbourhood, rho: float, n_steps: int = 3) -> float:
    """The same over ``||d / |theta| ||_2 <= rho`` (ASAM, arXiv 2102.11600, equation 2)."""
    sizes_P = around.origin_P.abs()
    return around.ascend(lambda _, g: rho * sizes_P**2 * g / _norm(sizes_P * g), n_steps)


def box_sharpness(around: Neighbourhood, epsilon: float, n_steps: int = 3) -> float:
    """Keskar's epsilon-sharpness in percent (arXiv 1609.04836, metric 2.1).

    ``100 (max L - L) / (1 + L)`` over the box ``|d_k| <= epsilon (|theta_k| + 1)``.
    """
    box_P = epsilon * (around.origin_P.abs() + 1)
    return 100 * around.ascend(lambda _, g: box_P * g.sign(), n_steps) / (1 + around.centre)


def noise_sharpness(
    around: Neighbourhood, sigma: float, n_draws: int, seed: int, relative: bool
) -> float:
    """Mean loss under Gaussian weight noise, above the loss without it.

    The noise's deviation is ``sigma``, or ``sigma |theta_k|`` where ``relative``.
    """
    rises = []
    for draw in range(n_draws):
        noise_P = sigma * around.space.normal(torch_generator(seed, "weight noise", draw))
        rises.append(around.loss(noise_P * around.origin_P.abs() if relative else noise_P))
    return float(np.mean(rises)) - around.centre


def _norm(vector_P: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vector_P).clamp_min(torch.finfo(vector_P.dtype).tiny)


def adaptive_top_eigenpair(
    hessian: FactorHessian,
    origin_P: Tensor,
    seed: int,
    tolerance: float = 1e-3,
    max_products: int = 300,
) -> Eigenpairs:
    """Largest eigenvalue of ``|theta| H |theta|`` (elementwise).

    The curvature of relative changes of the weights: the second-order form of ASAM's measure. It
    does not move under any rescaling of parameters that keeps the scores.
    """
    sizes_P = origin_P.abs()
    start_P = hessian.space.normal(torch_generator(seed, "adaptive eigenvalue"))
    return extreme_eigenpairs(
        lambda v: sizes_P * hessian.product(sizes_P * v),
        start_P,
        1,
        tolerance=tolerance,
        max_products=max_products,
    )


def balanced_factors(users_UD: Tensor, items_ID: Tensor) -> tuple[Tensor, Tensor]:
    """Factors with the same scores and ``U'^T U' = V'^T V'``, diagonal.

    Among all ``U M, V M^-T`` this choice is unique up to signs (and mixing within equal singular
    values of the score matrix), so what is measured there knows nothing of the scale, or the
    basis, in which a run ended up.
    """
    users_Q, users_R = torch.linalg.qr(users_UD.double())
    items_Q, items_R = torch.linalg.qr(items_ID.double())
    left, sizes_D, right = torch.linalg.svd(users_R @ items_R.T)
    roots_D = sizes_D.sqrt()
    users = users_Q @ (left * roots_D)
    items = items_Q @ (right.T * roots_D)
    return users.to(users_UD), items.to(items_ID)


def factor_top_eigenpair(
    factor_loss: FactorLoss, seed: int, tolerance: float = 1e-3, max_products: int = 300
) -> Eigenpairs:
    """Largest eigenvalue of the loss's Hessian by the factors (U, V)."""
    users_UD, items_ID = factor_loss.users_UD, factor_loss.items_ID
    split = users_UD.numel()

    def matvec(vector_P: Tensor) -> Tensor:
        users, items = factor_loss.product(
            vector_P[:split].view_as(users_UD), vector_P[split:].view_as(items_ID)
        )
        return torch.cat([users.reshape(-1), items.reshape(-1)])

    draws = torch_generator(seed, "factor eigenvalue")
    start_P = torch.randn(split + items_ID.numel(), generator=draws).to(users_UD)
    return extreme_eigenpairs(matvec, start_P, 1, tolerance=tolerance, max_products=max_products)


def balanced_top_eigenpair(
    factor_loss: FactorLoss,
    triples: Triples,
    seed: int,
    tolerance: float = 1e-3,
    max_products: int = 300,
) -> Eigenpairs:
    """``factor_top_eigenpair`` after balancing the factors."""
    users, items = balanced_factors(factor_loss.users_UD, factor_loss.items_ID)
    return factor_top_eigenpair(
        FactorLoss(users, items, triples, factor_loss.pattern), seed, tolerance, max_products
    )


def input_gradients(trained: Trained, triples: Triples) -> dict[str, Tensor]:
    """``dL / dx_i`` of the mean ranking loss by each modality's features: [I, width] each."""
    if not trained.model.modalities:
        return {}
    leaves = {m: trained.features[m].detach().requires_grad_() for m in trained.model.modalities}
    with torch.enable_grad():
        users, items = factors_at(trained, theta_of(trained), leaves)
    slopes = FactorLoss(users.detach(), items.detach(), triples).gradient()
    outputs = [(f, g) for f, g in zip((users, items), slopes, strict=True) if f.requires_grad]
    found = torch.autograd.grad(
        [f for f, _ in outputs], list(leaves.values()), [g for _, g in outputs]
    )
    return dict(zip(leaves, found, strict=True))


def input_sharpness(trained: Trained, triples: Triples) -> dict[str, np.ndarray]:
    """``||dL / dx_i||_2`` of each item by modality: [I]; nats a triple, per unit of feature.

    An item that no triple names has 0.
    """
    return {
        m: torch.linalg.vector_norm(g, dim=1).double().cpu().numpy()
        for m, g in input_gradients(trained, triples).items()
    }
