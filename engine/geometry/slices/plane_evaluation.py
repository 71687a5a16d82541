"""Losses and metrics at the points of a plane: all at once where exact, else one by one.

Legend: Q quantities, G points, K coordinates of a point (1 or 2), A and B grid points an axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from engine.data.features import Features
from engine.foundation.progress import Progress, part, silent
from engine.geometry.fixed_sample import FixedSample, validation_metrics
from engine.geometry.quantities import is_metric, is_ranking_loss
from engine.geometry.ranking_loss import LossModule, mean_ranking_loss
from engine.geometry.slices.affine_grid import grid_losses, margin_coefficients
from engine.geometry.slices.plane import FactorPlane, Plane
from engine.objectives import Triples


class PlaneEvaluator:
    """Measures quantities on one plane; what all points need is computed once and kept.

    ``perturbed`` features are what the ``robust_`` quantities read.
    """

    def __init__(
        self, plane: Plane, sample: FixedSample, perturbed: Features | None = None
    ) -> None:
        self.plane = plane
        self.sample = sample
        self._perturbed = perturbed
        self._factors: dict[bool, FactorPlane] = {}
        self._coefficients: dict[str, Tensor] = {}

    def values(
        self,
        quantities: Sequence[str],
        points_GK: np.ndarray,
        progress: Progress = silent,
    ) -> np.ndarray:
        """Each quantity at each point of the plane: float64 [Q, G].

        Losses of affine models come all at once, everything else point by point.
        """
        values_QG = np.full((len(quantities), len(points_GK)), np.nan)
        exact = [q for q in quantities if self.is_exact(q)]
        slow = [q for q in quantities if q not in exact]
        ends = np.linspace(0.0, 0.5 if slow else 1.0, len(exact) + 1)
        for index, name in enumerate(exact):
            within = part(progress, ends[index], ends[index + 1], f"{name}, ")
            values_QG[quantities.index(name)] = self._exact_losses(name, points_GK, within)
        rows = [quantities.index(q) for q in slow]
        within = part(progress, float(ends[-1]), 1.0)
        for g in range(len(points_GK)) if slow else ():
            within(g / len(points_GK), f"{', '.join(slow)}, point {g + 1}/{len(points_GK)}")
            at_point = self._values_at(slow, points_GK[g].tolist())
            values_QG[rows, g] = [at_point[q] for q in slow]
        progress(1.0, "")
        return values_QG

    def factors(self, quantity: str) -> FactorPlane:
        """The factors on the plane as a quantity sees them: on clean or on perturbed features."""
        is_robust = quantity.startswith("robust_")
        if is_robust not in self._factors:
            self._factors[is_robust] = FactorPlane(
                self.plane, self._perturbed if is_robust else None
            )
        return self._factors[is_robust]

    def is_exact(self, quantity: str) -> bool:
        """Whether a quantity comes from the quadratic in the coordinates, at all points at once."""
        return is_ranking_loss(quantity) and self.factors(quantity).is_exact

    def _exact_losses(self, quantity: str, points_GK: np.ndarray, progress: Progress) -> np.ndarray:
        steps = self.factors(quantity).steps
        if quantity not in self._coefficients:
            triples = self.sample.triples[_split(quantity)]
            self._coefficients[quantity] = margin_coefficients(steps, triples)
        points = torch.from_numpy(np.ascontiguousarray(points_GK[:, : len(steps) - 1]))
        return grid_losses(self._coefficients[quantity], points, progress).numpy()

    def _values_at(self, quantities: Sequence[str], point: list[float]) -> dict[str, float]:
        values: dict[str, float] = {}
        for is_robust in (False, True):
            names = [q for q in quantities if q.startswith("robust_") == is_robust]
            if "train_objective" in names:
                names.remove("train_objective")
                values["train_objective"] = _objective(
                    self.plane, self.sample.triples["train"], point
                )
            if not names:
                continue
            users, items = self.factors(names[0]).at(*point)
            metrics = [q for q in names if is_metric(q)]
            if metrics:
                values |= validation_metrics(users, items, self.sample, metrics)
            for name in names:
                if name not in metrics:
                    triples = self.sample.triples[_split(name)]
                    values[name] = mean_ranking_loss(users, items, triples)
        return values


def _split(loss: str) -> str:
    return "valid" if loss == "valid_loss" else "train"


def _objective(plane: Plane, triples: Triples, point: list[float]) -> float:
    """What the run minimised, over batches of its own batch size, at one point."""
    trained = plane.trained
    module = LossModule(trained, "objective")
    # The adversary takes a gradient of its own, so the weights must allow one.
    theta = {f"model.{n}": t.detach().requires_grad_() for n, t in plane.theta(*point).items()}
    total = 0.0
    size = trained.config.batch_size
    for start in range(0, len(triples), size):
        batch = triples.part(start, start + size)
        with torch.enable_grad():
            loss = functional_call(module, theta, (batch,))
        total += float(loss.detach()) * len(batch)
    return total / len(triples)
