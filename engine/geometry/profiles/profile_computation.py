"""Computes the profiles of the loss around the weights of runs: ``loss_profiles``.

Scores are inner products, so along a straight line of the factors each margin is a quadratic of the
distance, exactly: three passes over the triples give the loss at every distance.

Legend: R runs, X distances, T triples, P entries of a whitened step of the factors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import torch_generator
from engine.geometry.comparable_runs import name_of
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.invariant_metric import InvariantLoss
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.profiles.profile_config import ProfileConfig
from engine.geometry.profiles.profile_result import LossProfiles
from engine.training import Trained

LARGEST = 64.0
"""A loss that has not doubled within so many lengths of score changes counts as never doubling."""


def loss_profiles(
    trained: Sequence[Trained],
    config: ProfileConfig | None = None,
    progress: Progress = silent,
) -> LossProfiles:
    """Profiles along each run's sharpest and along random directions, on one axis.

    The runs may be of different models. Scores that no temperature calibrates (they order
    validation triples no better than chance) are taken as they are, and the result says so. Raises
    ConfigError where the runs are of different datasets, or all scores of one are equal.
    """
    config = config or ProfileConfig()
    started = time.perf_counter()
    if len({run.dataset.fingerprint for run in trained}) != 1:
        raise ConfigError("profiles compare runs of one dataset; name runs of one dataset.")
    lines, numbers = [], []
    for r, run in enumerate(trained):
        progress(r / len(trained), f"sharpest direction of {name_of(trained, r)}")
        loss, temperature, value, direction_P = _sharpest(run, name_of(trained, r), config)
        line = Line.through(loss, direction_P)
        lines.append((loss, line))
        numbers.append((line.rises(np.zeros(1))[1], line.slope, value, temperature))
    reaches = [line.doubling() for _, line in lines]
    finite = [reach for reach in reaches if np.isfinite(reach)]
    radius = config.radius or (min(finite) if finite else LARGEST)
    distances_X = np.linspace(-radius, radius, config.n_points | 1)
    sharpest, means, lows, highs = [], [], [], []
    for r, (loss, line) in enumerate(lines):
        progress((r + 0.5) / len(trained), f"random directions of {name_of(trained, r)}")
        sharpest.append(line.rises(distances_X)[0])
        draws = torch_generator(config.seed, "profile directions", r)
        rises = []
        for _ in range(config.n_directions):
            step_P = torch.randn(loss.size, generator=draws).to(loss.users_UR)
            rises.append(Line.through(loss, step_P / step_P.norm()).rises(distances_X)[0])
        means.append(np.mean(rises, axis=0))
        lows.append(np.percentile(rises, 5, axis=0))
        highs.append(np.percentile(rises, 95, axis=0))
    losses, slopes, values, temperatures = (
        np.array(column) for column in zip(*numbers, strict=True)
    )
    progress(1.0, "")
    return LossProfiles(
        distances_X, np.array(sharpest), np.array(means), np.array(lows), np.array(highs),
        losses, slopes, values, np.array(reaches), temperatures,
        [name_of(trained, r) for r in range(len(trained))], [run.run for run in trained],
        config=config.model_dump(mode="json"),
        provenance={
            "runs": [run.run for run in trained],
            "dataset": trained[0].dataset.fingerprint,
            "seconds": time.perf_counter() - started,
        },
    )  # fmt: skip


def _sharpest(
    run: Trained, name: str, config: ProfileConfig
) -> tuple[InvariantLoss, float, float, Tensor]:
    """The loss in whitened steps, its temperature, top eigenvalue and unit eigenvector."""
    point = MeasurementPoint(
        run,
        CurvatureConfig(
            n_top=1, n_bottom=0, n_triples=config.n_triples, tolerance=config.tolerance,
            seed=config.seed,
        ),
    )  # fmt: skip
    loss = InvariantLoss(*point.factors, point.temperature.factor, point.triples)
    if not loss.rank:
        raise ConfigError(f"all scores of '{name}' are equal, so no direction changes one.")
    start_P = torch.randn(loss.size, generator=torch_generator(config.seed, "profile start"))
    pairs = point.eigenpairs("sharpest direction", loss.product, start_P.to(loss.users_UR))
    temperature = point.temperature.value
    return (
        loss,
        float("nan") if temperature is None else temperature,
        pairs.top,
        pairs.vectors_KP[0],
    )


class Line:
    """The loss along one straight line of the factors: margins ``a + b t + c t^2`` [T]."""

    def __init__(self, constant_T: Tensor, linear_T: Tensor, square_T: Tensor) -> None:
        self.constant_T, self.linear_T, self.square_T = constant_T, linear_T, square_T

    @classmethod
    def through(cls, loss: InvariantLoss, direction_P: Tensor) -> Line:
        """The line through the weights along a whitened direction."""
        users_UR, items_IR = loss.factor_step(direction_P)
        margins = loss.factor_loss.pattern.margins
        return cls(
            margins((loss.users_UR, loss.items_IR)).double(),
            margins((users_UR, loss.items_IR), (loss.users_UR, items_IR)).double(),
            margins((users_UR, items_IR)).double(),
        )

    def loss(self, distance: float) -> float:
        """The mean loss at a distance."""
        margins_T = self.constant_T + distance * (self.linear_T + distance * self.square_T)
        return float(torch.nn.functional.softplus(-margins_T).mean())

    def rises(self, distances_X: np.ndarray) -> tuple[np.ndarray, float]:
        """The loss above that at the weights at each distance [X], and that at the weights."""
        here = self.loss(0.0)
        return np.array([self.loss(float(t)) - here for t in distances_X]), here

    @property
    def slope(self) -> float:
        """The loss's slope at the weights."""
        return float((-torch.sigmoid(-self.constant_T) * self.linear_T).mean())

    def doubling(self) -> float:
        """The nearest distance, on either side, at which the loss has doubled; NaN beyond 64."""
        here = self.loss(0.0)
        reaches = []
        for side in (1.0, -1.0):
            low, high = 0.0, 0.25
            while self.loss(side * high) < 2 * here and high < LARGEST:
                low, high = high, 2 * high
            if high >= LARGEST:
                continue
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (
                    (low, middle) if self.loss(side * middle) >= 2 * here else (middle, high)
                )
            reaches.append(high)
        return min(reaches, default=float("nan"))
