"""Mean loss under Gaussian weight noise, absolute or relative to each weight's size."""

from __future__ import annotations

import numpy as np

from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures.measure import Estimate, Measure


def _mean_rise(point: MeasurementPoint, relative: bool) -> Estimate:
    config = point.config
    sigma = config.relative_sigma if relative else config.sigma
    rises = point.neighbourhood.rises_under_noise(sigma, config.n_draws, config.seed, relative)
    n = len(rises)
    error = float(rises.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Estimate(float(rises.mean()), error)


NOISE_SHARPNESS = Measure(
    "noise_sharpness",
    "weight-noise sharpness",
    "mean loss under Gaussian weight noise, above the loss",
    "nats",
    lambda point: _mean_rise(point, relative=False),
    moved_by=("scale", "mixing", "temperature"),
)
RELATIVE_NOISE_SHARPNESS = Measure(
    "relative_noise_sharpness",
    "relative-noise sharpness",
    "mean loss under noise relative to each weight, above the loss",
    "nats",
    lambda point: _mean_rise(point, relative=True),
    moved_by=("rotation", "mixing", "temperature", "shift"),
)
