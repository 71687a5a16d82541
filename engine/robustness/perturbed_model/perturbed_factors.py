"""From a path through features to a path through item factors, computing only what changes.

For a row-local model, item i's factor depends on item i's features alone, so only changed rows are
made anew. Along a ray through a linear projection not even that: ``A (x + s d) = A x + s A d``
takes one product with A for all strengths. Any other model is run whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from engine.data.perturbations.noise.gaussian import GaussianConfig
from engine.data.perturbations.perturbation import (
    Change,
    Path,
    PerturbationConfig,
    Ray,
    Replacement,
    changed_features,
)
from engine.models import LinearProjection
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.projected_gaussian import projected_gaussian
from engine.robustness.perturbed_model.projected_perturbation import (
    ProjectedPath,
    ProjectedPerturbation,
    ProjectedRay,
)


@dataclass(frozen=True)
class FactorChange:
    """Item factors [n, D] of the changed items [n], and all user factors where those change too."""

    items: Tensor
    item_factors: Tensor
    user_factors: Tensor | None = None
    along: Straight | Switched | None = None
    """How it came about, where scores can be had without another product of factors."""


@dataclass(frozen=True)
class Straight:
    """Changed item factors are clean ones plus ``strength * step`` [n, D]; scores then are too."""

    step: Tensor
    strength: float


@dataclass(frozen=True)
class Switched:
    """Changed item factors are the given rows of ``made`` [N, D], the factors of ``items`` [N]."""

    items: Tensor
    made: Tensor
    rows: Tensor


FactorPath = Callable[[float], FactorChange]
"""From a strength to what it does to the factors."""


def factor_path(
    model: ModelUnderTest,
    config: PerturbationConfig,
    seed: int,
    draw: int,
    shared: dict[tuple, Path] | None = None,
    draw_at: Literal["features", "projection"] = "features",
) -> FactorPath:
    """One draw of a perturbation as factors see it.

    ``shared`` keeps this draw's paths between runs on equal features: noise is drawn once at full
    width and projected by every run, which is both paired and cheaper than a draw for each. Attacks
    depend on the model and are not shared. ``draw_at`` 'projection' draws noise at the projection's
    width where that is exact in distribution.
    """
    if not model.modalities(config):
        return lambda _: _no_change(model)
    if model.linear is not None:
        projected = None
        if isinstance(config, ProjectedPerturbation):
            projected = config.projected_path(model, seed, draw)
        elif isinstance(config, GaussianConfig) and draw_at == "projection":
            projected = projected_gaussian(config, model, seed, draw)
        if projected is not None:
            return _along_projected(model, projected)
    path = _path(model, config, seed, draw, {} if shared is None else shared)
    if not model.recommender.row_local:
        return lambda strength: _whole(model, path.at(strength))
    if isinstance(path, Ray) and model.linear is not None:
        weights = model.linear.projection_weights()
        moved = torch.stack([d @ weights[m].T for m, d in path.directions.items()]).sum(0)
        return _along_projected(model, ProjectedRay(path.items, moved))
    if isinstance(path, Replacement):
        return _along_replacement(model, path)
    return lambda strength: _changed_rows(model, path.at(strength))


def factors_after(model: ModelUnderTest, change: Change) -> FactorChange:
    """The factors after a change of features, wherever it comes from."""
    if len(change.items) == 0 or not model.recommender.modalities:
        return _no_change(model)
    return (_changed_rows if model.recommender.row_local else _whole)(model, change)


def _path(
    model: ModelUnderTest,
    config: PerturbationConfig,
    seed: int,
    draw: int,
    shared: dict[tuple, Path],
) -> Path:
    if config.risk == "adversarial":
        return config.path(model, seed, draw)
    key = (model.trained.config.features, model.recommender.modalities, model.dtype, model.device)
    if key not in shared:
        shared[key] = config.path(model, seed, draw)
    return shared[key]


def _no_change(model: ModelUnderTest) -> FactorChange:
    _, items_ID = model.clean_factors
    none = torch.empty(0, dtype=torch.int64, device=items_ID.device)
    return FactorChange(none, items_ID[:0])


def _along_projected(model: ModelUnderTest, path: ProjectedPath) -> FactorPath:
    linear = model.linear
    assert linear is not None
    clean_nP = model.projected_features.index_select(0, path.items)
    step = _straight_step(linear, path, clean_nP) if isinstance(path, ProjectedRay) else None

    def at(strength: float) -> FactorChange:
        if strength == 0:
            return _no_change(model)
        with torch.no_grad():
            rows = linear.combine(clean_nP + path.at(strength), path.items)
        along = None if step is None else Straight(step, strength)
        return FactorChange(path.items, rows, along=along)

    return at


def _straight_step(linear: LinearProjection, ray: ProjectedRay, clean_nP: Tensor) -> Tensor | None:
    """What strength 1 adds to the item factors [n, D], or None where ``combine`` bends the ray.

    The contract lets ``combine`` be any function, so it is asked at strengths 1 and 2.
    """
    with torch.no_grad():
        start, one, two = (
            linear.combine(clean_nP + s * ray.directions, ray.items) for s in (0.0, 1.0, 2.0)
        )
    step = one - start
    tolerance = 100 * torch.finfo(step.dtype).eps * float(two.abs().amax()) if len(step) else 0.0
    return step if torch.allclose(two - start, 2 * step, rtol=0.0, atol=tolerance) else None


def _along_replacement(model: ModelUnderTest, path: Replacement) -> FactorPath:
    made = _changed_rows(model, Change(path.items, path.replaced)).item_factors

    def at(strength: float) -> FactorChange:
        rows = path.rows(strength)
        return FactorChange(
            path.items.index_select(0, rows),
            made.index_select(0, rows),
            along=Switched(path.items, made, rows),
        )

    return at


def _changed_rows(model: ModelUnderTest, change: Change) -> FactorChange:
    if len(change.items) == 0:
        return _no_change(model)
    rows = {
        m: change.features.get(m, model.rows(m, change.items)) for m in model.recommender.modalities
    }
    with torch.no_grad():
        return FactorChange(change.items, model.recommender.item_factors(rows, change.items))


def _whole(model: ModelUnderTest, change: Change) -> FactorChange:
    if len(change.items) == 0:
        return _no_change(model)
    with torch.no_grad():
        users_UD, items_ID = model.recommender(changed_features(model.features, change))
    return FactorChange(torch.arange(len(items_ID), device=items_ID.device), items_ID, users_UD)
