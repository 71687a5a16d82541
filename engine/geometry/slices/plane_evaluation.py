"""Losses and metrics at the points of a plane: all at once where exact, else one by one.

Legend: Q quantities, G points, K coordinates of a point (1 or 2), A and B grid points an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from engine.data import Dataset
from engine.data.features import Features
from engine.evaluation import hits_among_top, metrics_of_hits
from engine.foundation.progress import Progress, part, silent
from engine.foundation.seeding import numpy_generator
from engine.geometry.ranking_loss import LossModule, mean_ranking_loss
from engine.geometry.slices.affine_grid import grid_losses, margin_coefficients
from engine.geometry.slices.plane import FactorPlane, Plane
from engine.geometry.slices.slice_config import is_metric, is_ranking_loss
from engine.geometry.triples import frozen_triples
from engine.objectives import Triples

OBJECTIVE_BATCH = 32768


@dataclass(frozen=True)
class Frozen:
    """What every point and every compared run is measured on."""

    dataset: Dataset
    triples: dict[str, Triples]
    """By split, as far as losses of it are asked for; ``train`` always."""
    users: np.ndarray
    """Users whose rankings are judged; empty where no metric is asked for."""

    @classmethod
    def draw(
        cls,
        dataset: Dataset,
        quantities: Sequence[str],
        n_triples: int | None,
        n_users: int | None,
        seed: int,
        device: torch.device,
    ) -> Frozen:
        """Draw triples and users once, by the seed alone."""
        triples = {"train": frozen_triples(dataset, n_triples, seed, "train", device)}
        if "valid_loss" in quantities:
            triples["valid"] = frozen_triples(dataset, n_triples, seed, "valid", device)
        users = np.zeros(0, dtype=np.int64)
        if any(is_metric(q) for q in quantities):
            users = np.flatnonzero(np.diff(dataset.matrix("valid").indptr))
            if n_users is not None and n_users < len(users):
                chosen = numpy_generator(seed, "slice users").permutation(len(users))[:n_users]
                users = users[np.sort(chosen)]
        return cls(dataset, triples, users)


def grid_levels(n_first: int, n_second: int) -> list[np.ndarray]:
    """Flat indices of a grid [A, B] in passes from coarse to fine; each index occurs once."""
    seen = np.zeros((n_first, n_second), dtype=bool)
    levels = []
    for stride in (8, 4, 2, 1):
        rows = _strided(n_first, stride)
        columns = _strided(n_second, stride)
        fresh = np.zeros_like(seen)
        fresh[np.ix_(rows, columns)] = True
        fresh &= ~seen
        seen |= fresh
        if fresh.any():
            levels.append(np.flatnonzero(fresh))
    return levels


def _strided(n: int, stride: int) -> np.ndarray:
    # Counted from the middle, so that the weights themselves come first.
    return np.flatnonzero((np.arange(n) - n // 2) % stride == 0)


class Survey:
    """Measures quantities on one plane; what all points need is computed once and kept.

    ``perturbed`` features are what the ``robust_`` quantities read.
    """

    def __init__(self, plane: Plane, frozen: Frozen, perturbed: Features | None = None) -> None:
        self.plane = plane
        self.frozen = frozen
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
        at_once = [q for q in quantities if self.is_exact(q)]
        slow = [q for q in quantities if q not in at_once]
        ends = np.linspace(0.0, 0.5 if slow else 1.0, len(at_once) + 1)
        for index, name in enumerate(at_once):
            within = part(progress, ends[index], ends[index + 1], f"{name}, ")
            values_QG[quantities.index(name)] = self._exact_losses(name, points_GK, within)
        rows = [quantities.index(q) for q in slow]
        within = part(progress, float(ends[-1]), 1.0)
        for g in range(len(points_GK)) if slow else ():
            within(g / len(points_GK), f"{', '.join(slow)}, point {g + 1}/{len(points_GK)}")
            found = self._point(slow, points_GK[g].tolist())
            values_QG[rows, g] = [found[q] for q in slow]
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
            triples = self.frozen.triples[_split(quantity)]
            self._coefficients[quantity] = margin_coefficients(steps, triples)
        points = torch.from_numpy(np.ascontiguousarray(points_GK[:, : len(steps) - 1]))
        return grid_losses(self._coefficients[quantity], points, progress).numpy()

    def _point(self, quantities: Sequence[str], point: list[float]) -> dict[str, float]:
        found: dict[str, float] = {}
        for is_robust in (False, True):
            names = [q for q in quantities if q.startswith("robust_") == is_robust]
            if "train_objective" in names:
                names.remove("train_objective")
                found["train_objective"] = _objective(
                    self.plane, self.frozen.triples["train"], point
                )
            if not names:
                continue
            users, items = self.factors(names[0]).at(*point)
            metrics = [q for q in names if is_metric(q)]
            if metrics:
                found |= metrics_of(users, items, self.frozen, metrics)
            for name in names:
                if name not in metrics:
                    triples = self.frozen.triples[_split(name)]
                    found[name] = mean_ranking_loss(users, items, triples)
        return found


def _split(loss: str) -> str:
    return "valid" if loss == "valid_loss" else "train"


def metrics_of(
    users_UD: Tensor, items_ID: Tensor, frozen: Frozen, names: list[str]
) -> dict[str, float]:
    """Metrics of the frozen users on the validation split, by quantity, train items left out."""
    cutoffs = tuple(sorted({int(name.split("@")[1]) for name in names}))
    hits = hits_among_top(users_UD, items_ID, frozen.dataset, frozen.users, "valid", cutoffs[-1])
    counts = np.diff(frozen.dataset.matrix("valid").indptr)[frozen.users]
    found = metrics_of_hits(hits, counts, cutoffs)
    return {name: float(found[name.removeprefix("robust_")].mean()) for name in names}


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
