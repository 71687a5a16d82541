"""Worst losses near the weights: in SAM's ball, in ASAM's, in Keskar's box. Lower bounds."""

from __future__ import annotations

from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure
from engine.geometry.curvature.neighbourhood import norm


def _ball(point: MeasurementPoint) -> Estimate:
    rho = point.config.rho
    return Estimate(point.neighbourhood.worst_rise(lambda g: rho * g / norm(g)))


def _adaptive_ball(point: MeasurementPoint) -> Estimate:
    rho, sizes_P = point.config.adaptive_rho, point.neighbourhood.origin_P.abs()
    rise = point.neighbourhood.worst_rise(lambda g: rho * sizes_P**2 * g / norm(sizes_P * g))
    return Estimate(rise)


def _box(point: MeasurementPoint) -> Estimate:
    around = point.neighbourhood
    box_P = point.config.epsilon * (around.origin_P.abs() + 1)
    return Estimate(100 * around.worst_rise(lambda g: box_P * g.sign()) / (1 + around.centre))


BOX_SHARPNESS = Measure(
    "box_sharpness",
    "box sharpness (Keskar)",
    "epsilon-sharpness of Keskar (arXiv 1609.04836, metric 2.1): 100 (max L - L) / (1 + L) over "
    "|d| <= epsilon (|theta| + 1)",
    "percent",
    _box,
    moved_by=("scale", "rotation", "mixing", "temperature", "shift"),
)
BALL_SHARPNESS = Measure(
    "ball_sharpness",
    "ball sharpness (SAM)",
    "worst loss in a ball of radius rho (SAM, arXiv 2010.01412), above the loss",
    "nats",
    _ball,
    moved_by=("scale", "mixing", "temperature"),
)
ADAPTIVE_SHARPNESS = Measure(
    "adaptive_sharpness",
    "adaptive sharpness (ASAM)",
    "worst loss over ||d / |theta||| <= rho (ASAM, arXiv 2102.11600, equation 2), above the loss",
    "nats",
    _adaptive_ball,
    moved_by=("rotation", "mixing", "temperature", "shift"),
)
