"""Largest eigenvalues that pay heed to the weights' sizes, or see the factors alone."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.hessian.factor_hessian import FactorLoss
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure


def balanced_factors(users_UD: Tensor, items_ID: Tensor) -> tuple[Tensor, Tensor]:
    """Factors with the same scores and ``U'^T U' = V'^T V'``, diagonal: [U, R], [I, R].

    Among all ``U M, V M^-T`` this choice is unique up to signs (and mixing within equal singular
    values of the score matrix). R is D, or fewer where there are fewer users or items.
    """
    users_Q, users_R = torch.linalg.qr(users_UD.double())
    items_Q, items_R = torch.linalg.qr(items_ID.double())
    left, sizes_D, right = torch.linalg.svd(users_R @ items_R.T, full_matrices=False)
    roots_D = sizes_D.sqrt()
    users = users_Q @ (left * roots_D)
    items = items_Q @ (right.T * roots_D)
    return users.to(users_UD), items.to(items_ID)


def _adaptive(point: MeasurementPoint) -> Estimate:
    hessian, sizes_P = point.ranking_hessian, point.neighbourhood.origin_P.abs()
    start_P = hessian.space.normal(torch_generator(point.config.seed, "adaptive eigenvalue"))

    def matvec(vector_P: Tensor) -> Tensor:
        return sizes_P * hessian.product(sizes_P * vector_P)

    return Estimate(point.eigenpairs("adaptive", matvec, start_P).top)


def _factor_top(point: MeasurementPoint, what: str, loss: FactorLoss) -> Estimate:
    users_UD, items_ID = loss.users_UD, loss.items_ID
    split = users_UD.numel()

    def matvec(vector_P: Tensor) -> Tensor:
        users, items = loss.product(
            vector_P[:split].view_as(users_UD), vector_P[split:].view_as(items_ID)
        )
        return torch.cat([users.reshape(-1), items.reshape(-1)])

    draws = torch_generator(point.config.seed, "factor eigenvalue")
    start_P = torch.randn(split + items_ID.numel(), generator=draws).to(users_UD)
    return Estimate(point.eigenpairs(what, matvec, start_P).top)


def _balanced_top(point: MeasurementPoint) -> Estimate:
    users, items = balanced_factors(*point.factors)
    loss = FactorLoss(users, items, point.triples, point.factor_loss.pattern)
    return _factor_top(point, "balanced", loss)


FACTOR_TOP_EIGENVALUE = Measure(
    "factor_top_eigenvalue",
    "top eigenvalue by factors",
    "largest eigenvalue by the factors (U, V)",
    "nats / factor²",
    lambda point: _factor_top(point, "factor", point.factor_loss),
    moved_by=("scale", "mixing", "temperature"),
)
ADAPTIVE_TOP_EIGENVALUE = Measure(
    "adaptive_top_eigenvalue",
    "adaptive top eigenvalue",
    "largest eigenvalue of |theta| H |theta|: ASAM's measure to second order",
    "nats",
    _adaptive,
    moved_by=("rotation", "mixing", "temperature", "shift"),
)
BALANCED_TOP_EIGENVALUE = Measure(
    "balanced_top_eigenvalue",
    "balanced top eigenvalue",
    "largest eigenvalue by the factors after balancing U and V",
    "nats / score",
    _balanced_top,
    moved_by=("temperature", "shift"),
)
