"""Measures of the raw Hessian by the weights: its largest eigenvalues and its trace."""

from __future__ import annotations

from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure


def _top_eigenvalue(point: MeasurementPoint) -> Estimate:
    return Estimate(point.hessian_eigenpairs.top)


def _eigenvalue_ratio(point: MeasurementPoint) -> Estimate | None:
    top = point.hessian_eigenpairs.values_K[: point.hessian_eigenpairs.n_top]
    return Estimate(float(top[0] / top[4])) if len(top) >= 5 and top[4] > 0 else None


def _trace(point: MeasurementPoint) -> Estimate:
    return Estimate(point.trace.value, point.trace.standard_error)


def _gauss_newton(point: MeasurementPoint) -> Estimate:
    hessian = point.hessian(gauss_newton=True)
    return Estimate(point.extremes_of("gauss_newton", hessian).top)


TOP_EIGENVALUE = Measure(
    "top_eigenvalue",
    "top eigenvalue",
    "largest Hessian eigenvalue",
    "nats / weight²",
    _top_eigenvalue,
    moved_by=("scale", "mixing", "temperature"),
    is_asked=lambda config: True,
)
TRACE = Measure(
    "trace",
    "trace",
    "sum of Hessian eigenvalues",
    "nats / weight²",
    _trace,
    moved_by=("scale", "mixing", "temperature"),
    is_asked=lambda config: config.trace_products > 0,
)
EIGENVALUE_RATIO = Measure(
    "eigenvalue_ratio",
    "top over 5th eigenvalue",
    "largest over fifth largest eigenvalue",
    "ratio",
    _eigenvalue_ratio,
    moved_by=("scale", "mixing", "temperature"),
    is_asked=lambda config: config.n_top >= 5,
)
GAUSS_NEWTON = Measure(
    "gauss_newton_top_eigenvalue",
    "Gauss-Newton top eigenvalue",
    "largest Gauss-Newton eigenvalue",
    "nats / weight²",
    _gauss_newton,
    moved_by=("scale", "mixing", "temperature"),
    is_asked=lambda config: config.gauss_newton,
)
