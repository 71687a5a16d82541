"""Measures in the metric of score changes, at calibrated temperature: no rewriting moves them.

The metric, its cut-off and what they do to the Hessian are described in ``invariant_metric``.
"""

from __future__ import annotations

import torch

from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure
from engine.geometry.curvature.neighbourhood import ascend, norm


def _top_eigenvalue(point: MeasurementPoint) -> Estimate | None:
    pairs = point.invariant_eigenpairs
    return None if pairs is None else Estimate(pairs.top)


def _gauss_newton(point: MeasurementPoint) -> Estimate | None:
    loss = point.invariant_loss
    if loss is None:
        return None
    start_P = point.invariant_start()
    pairs = point.eigenpairs("invariant Gauss-Newton", loss.gauss_newton_product, start_P)
    return Estimate(pairs.top)


def _trace(point: MeasurementPoint) -> Estimate | None:
    loss = point.invariant_loss
    return None if loss is None else Estimate(loss.trace())


def _worst_loss(point: MeasurementPoint) -> Estimate | None:
    loss, rho = point.invariant_loss, point.config.score_rho
    if loss is None:
        return None
    origin_P = torch.zeros_like(point.invariant_start())
    return Estimate(ascend(loss, origin_P, lambda g: rho * g / norm(g)))


INVARIANT_TOP_EIGENVALUE = Measure(
    "invariant_top_eigenvalue",
    "invariant top eigenvalue",
    "largest eigenvalue by the factors per squared change of score, at calibrated temperature; "
    "grows with nearly unused factor width",
    "nats / score²",
    _top_eigenvalue,
)
INVARIANT_GAUSS_NEWTON = Measure(
    "invariant_gauss_newton_top_eigenvalue",
    "invariant Gauss-Newton eigenvalue",
    "the same without the second-order change of scores; does not see nearly unused width",
    "nats / score²",
    _gauss_newton,
)
INVARIANT_TRACE = Measure(
    "invariant_trace",
    "invariant trace",
    "sum of all eigenvalues per squared change of score, at calibrated temperature; exact; counts "
    "every component of the scores alike",
    "nats / score²",
    _trace,
)
INVARIANT_SHARPNESS = Measure(
    "invariant_sharpness",
    "invariant sharpness",
    "worst loss over factor changes whose score changes have length score_rho, above the loss, at "
    "calibrated temperature",
    "nats",
    _worst_loss,
)
