"""Computes profiles: ``loss_profile``."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor, nn

from engine.foundation.progress import Progress, part, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.invariant_metric import InvariantLoss
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.profiles.profile_config import ProfileConfig
from engine.geometry.profiles.profile_result import Profile
from engine.geometry.ranking_loss import margins_of
from engine.training import Trained


class LossAlongLine:
    """The mean ranking loss along a straight line of factors.

    Margins of factors on a line are quadratic in the distance, so three evaluations of all triples
    give the loss everywhere on it.
    """

    def __init__(self, loss: InvariantLoss, direction_P: Tensor) -> None:
        users_UR, items_IR = loss.factor_step(direction_P)

        def margins_at(t: float) -> Tensor:
            moved = loss.users_UR + t * users_UR, loss.items_IR + t * items_IR
            return margins_of(*moved, loss.triples).double()

        below_T, self.origin_T, above_T = margins_at(-1.0), margins_at(0.0), margins_at(1.0)
        self.slope_T = (above_T - below_T) / 2
        self.bend_T = (above_T + below_T) / 2 - self.origin_T

    def __call__(self, distance: float) -> float:
        """The loss at a distance along the line, in lengths of the direction."""
        margins_T = self.origin_T + distance * self.slope_T + distance**2 * self.bend_T
        return float(nn.functional.softplus(-margins_T).mean())


def loss_profile(
    trained: Trained, config: ProfileConfig | None = None, progress: Progress = silent
) -> Profile:
    """The loss of a run along its sharpest direction and along random ones (method.md).

    Where no temperature calibrates the run's scores, the result says why and holds no points.
    """
    config = config or ProfileConfig()
    started = time.perf_counter()
    point = MeasurementPoint(
        trained,
        CurvatureConfig(
            n_triples=config.n_triples, seed=config.seed, tolerance=config.tolerance,
            max_products=config.max_products,
        ),
    )  # fmt: skip
    loss = point.invariant_loss
    if loss is None:
        why = point.temperature.reason or "all its scores are equal"
        return _profile(trained, config, point, started, reason=why)
    point.progress = part(progress, 0.0, 0.6)
    start_P = point.invariant_start()
    pairs = point.eigenpairs("sharpest direction", loss.gauss_newton_product, start_P)
    sharpest = LossAlongLine(loss, pairs.vectors_KP[0])
    doubling = doubling_distance(sharpest)
    half = (config.n_points - 1) // 2
    distances_X = config.reach * doubling * np.arange(-half, half + 1) / half
    randoms = []
    for n in range(config.n_random):
        progress(0.6 + 0.4 * n / config.n_random, f"random direction {n + 1}")
        draws = torch_generator(config.seed, "profile direction", n)
        direction_P = torch.randn(loss.size, generator=draws).to(start_P)
        line = LossAlongLine(loss, direction_P / torch.linalg.vector_norm(direction_P))
        randoms.append([line(t) for t in distances_X])
    return _profile(
        trained, config, point, started,
        distances_X=distances_X,
        sharpest_X=np.array([sharpest(t) for t in distances_X]),
        random_NX=np.array(randoms).reshape(config.n_random, config.n_points),
        eigenvalue=pairs.top,
        doubling_distance=doubling,
    )  # fmt: skip


def doubling_distance(line: LossAlongLine) -> float:
    """The distance, from the minimum along a line, at which the loss is twice that minimum.

    The nearer of both sides; the minimum is sought within the range that the doubling spans.
    """
    far = 1.0
    while min(line(far), line(-far)) < 2 * line(0.0) and far < 1e9:
        far *= 2
    while min(line(far / 2), line(-far / 2)) >= 2 * line(0.0) and far > 1e-9:
        far /= 2
    grid = np.linspace(-far, far, 401)
    lowest = float(grid[int(np.argmin([line(t) for t in grid]))])
    level = 2 * line(lowest)
    ends = [_crossing(line, lowest, side, level) for side in (-1.0, 1.0)]
    return min(abs(end - lowest) for end in ends)


def _crossing(line: LossAlongLine, start: float, side: float, level: float) -> float:
    """Where the loss first reaches a level on one side of ``start``, by doubling and bisection."""
    step = 1e-3
    while line(start + side * step) < level and step < 1e12:
        step *= 2
    low, high = step / 2, step
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if line(start + side * middle) >= level else (middle, high)
    return start + side * high


def _profile(
    trained: Trained, config: ProfileConfig, point: MeasurementPoint, started: float, *,
    reason: str = "", eigenvalue: float = math.nan, doubling_distance: float = math.nan,
    **arrays: np.ndarray,
) -> Profile:  # fmt: skip
    empty = {"distances_X": np.zeros(0), "sharpest_X": np.zeros(0), "random_NX": np.zeros((0, 0))}
    return Profile(
        **(empty | arrays),
        label=trained.label,
        run=trained.run,
        eigenvalue=eigenvalue,
        doubling_distance=doubling_distance,
        n_triples=len(point.triples),
        reason=reason,
        config=config.model_dump(mode="json"),
        provenance={
            "dataset": trained.dataset.fingerprint,
            "dataset_name": trained.dataset.name,
            "runs": [trained.run],
            "unconverged": point.unconverged,
            "seconds": time.perf_counter() - started,
        },
    )
