"""Losses and metrics at the points of a plane: all at once where exact, else coarse to fine.

Legend: Q quantities, G points, K coordinates of a point (1 or 2), A and B grid points an axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from engine.data import Dataset
from engine.data.features import Features
from engine.evaluation import EvaluationConfig, is_relevant, metrics_of_hits, top_items
from engine.foundation.progress import Progress, part
from engine.foundation.seeding import numpy_generator
from engine.geometry.affine_grid import grid_losses, margin_coefficients
from engine.geometry.plane import FactorPlane, Plane
from engine.geometry.ranking_loss import LossModule, mean_ranking_loss
from engine.geometry.triples import frozen_triples
from engine.objectives import Triples

Preview = Callable[[np.ndarray], None]
"""Receives values [Q, G] so far, NaN where nothing was computed yet."""

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


def is_metric(quantity: str) -> bool:
    """Whether a quantity is a ranking metric rather than a loss."""
    return "@" in quantity


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


def values_at(
    plane: Plane,
    quantities: Sequence[str],
    frozen: Frozen,
    points_GK: np.ndarray,
    progress: Progress,
    perturbed: Features | None = None,
    levels: Sequence[np.ndarray] | None = None,
    preview: Preview | None = None,
) -> np.ndarray:
    """Each quantity at each point of the plane: float64 [Q, G].

    ``perturbed`` features are what the ``robust_`` quantities read. Where factors are not affine,
    and for metrics, points are computed one by one in the order of ``levels``, and ``preview`` is
    called after each level.
    """
    points_GK = np.asarray(points_GK, dtype=np.float64)
    values_QG = np.full((len(quantities), len(points_GK)), np.nan)
    levels = levels or [np.arange(len(points_GK))]
    slow: list[tuple[bool, list[str]]] = []
    plain = any(not q.startswith("robust_") and q != "train_objective" for q in quantities)
    for is_robust in (False, True):
        names = [
            q for q in quantities
            if q.startswith("robust_") == is_robust and q != "train_objective"
        ]
        if not names or (not is_robust and not plain):
            continue
        factors = FactorPlane(plane, perturbed if is_robust else None)
        if factors.is_exact:
            for name in [q for q in names if not is_metric(q)]:
                losses_G = _exact_losses(factors, frozen.triples[_split(name)], points_GK, progress)
                values_QG[quantities.index(name)] = losses_G
            if preview is not None:
                preview(values_QG)
            names = [q for q in names if is_metric(q)]
        if names:
            slow.append((is_robust, names))
    if "train_objective" in quantities:
        slow.append((False, ["train_objective"]))
    for index, (is_robust, names) in enumerate(slow):
        within = part(progress, index / len(slow), (index + 1) / len(slow))
        factors = FactorPlane(plane, perturbed if is_robust else None)
        done = 0
        for level in levels:
            for g in level:
                within(done / len(points_GK), f"{names[0]}, point {done + 1}/{len(points_GK)}")
                done += 1
                point = points_GK[g].tolist()
                for name, value in _point(plane, factors, names, frozen, point).items():
                    values_QG[quantities.index(name), g] = value
            if preview is not None:
                preview(values_QG)
    progress(1.0, "")
    return values_QG


def _split(loss: str) -> str:
    return "valid" if loss == "valid_loss" else "train"


def _exact_losses(
    factors: FactorPlane, triples: Triples, points_GK: np.ndarray, progress: Progress
) -> np.ndarray:
    coefficients_TC = margin_coefficients(factors.steps, triples)
    points = torch.from_numpy(points_GK[:, : len(factors.steps) - 1]).to(coefficients_TC.device)
    return grid_losses(coefficients_TC, points, progress).numpy()


def _point(
    plane: Plane, factors: FactorPlane, names: list[str], frozen: Frozen, point: list[float]
) -> dict[str, float]:
    if names == ["train_objective"]:
        return {"train_objective": _objective(plane, frozen.triples["train"], point)}
    users, items = factors.at(*point)
    values = {
        q: mean_ranking_loss(users, items, frozen.triples[_split(q)])
        for q in names
        if not is_metric(q)
    }
    metrics = [q for q in names if is_metric(q)]
    if metrics:
        found = _metrics(users, items, frozen, [q.removeprefix("robust_") for q in metrics])
        values |= {q: found[q.removeprefix("robust_")] for q in metrics}
    return values


def _metrics(
    users_UD: Tensor, items_ID: Tensor, frozen: Frozen, names: list[str]
) -> dict[str, float]:
    cutoffs = tuple(sorted({int(name.split("@")[1]) for name in names}))
    config = EvaluationConfig(cutoffs=cutoffs)
    ranked = top_items(users_UD, items_ID, frozen.dataset, frozen.users, cutoffs[-1], config)
    hits = is_relevant(ranked, frozen.users, frozen.dataset, "valid")
    counts = np.diff(frozen.dataset.matrix("valid").indptr)[frozen.users]
    found = metrics_of_hits(hits, counts, cutoffs)
    return {name: float(found[name].mean()) for name in names}


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
