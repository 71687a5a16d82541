"""The planes of a slice: directions of each kind, shared by the compared runs, and the axes.

Legend: R runs, A and B grid points along the axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress
from engine.foundation.seeding import torch_generator
from engine.geometry.curvature.factor_hessian import FactorHessian
from engine.geometry.curvature.lanczos import extreme_eigenpairs
from engine.geometry.directions.random_directions import length_of, normalised, random_direction
from engine.geometry.directions.trajectory_axes import main_axes, projected
from engine.geometry.long_vectors import length
from engine.geometry.slices.plane import Plane
from engine.geometry.slices.slice_config import DirectionKind, SliceConfig
from engine.geometry.slices.plane_evaluation import Survey
from engine.geometry.theta import Theta, ThetaSpace, factors_at, moved, theta_of
from engine.objectives import Triples
from engine.training import Trained

ORDINALS = ("", "second ")


def check_comparable(trained: Sequence[Trained]) -> None:
    """Raises ConfigError unless all runs have one dataset and parameters of one shape."""
    if not trained:
        raise ConfigError("no run was given; a slice needs at least one.")
    first = trained[0]
    shapes = {n: tuple(p.shape) for n, p in first.model.named_parameters()}
    for r, other in enumerate(trained[1:], 1):
        if {n: tuple(p.shape) for n, p in other.model.named_parameters()} != shapes:
            raise ConfigError(
                f"'{name_of(trained, r)}' and '{name_of(trained, 0)}' have weights of "
                "different names or shapes, so they share no direction; compare runs of one model "
                "and width."
            )
        if next(other.model.parameters()).dtype != next(first.model.parameters()).dtype:
            raise ConfigError(
                f"'{name_of(trained, r)}' and '{name_of(trained, 0)}' have weights of different "
                "precision, so they share no direction; compare runs of one precision."
            )
        same = other.dataset is first.dataset
        if not same and other.dataset.fingerprint != first.dataset.fingerprint:
            raise ConfigError(
                f"'{name_of(trained, r)}' was trained on '{other.dataset.name}', "
                f"'{name_of(trained, 0)}' on '{first.dataset.name}'; compare runs of one "
                "dataset."
            )


def check_one_network(trained: Sequence[Trained]) -> None:
    """Raises ConfigError unless equal weights mean equal scores in all runs.

    What passes through several runs is measured with the first one's network and features, which
    must make of each other run's weights the factors that it has itself.
    """
    first = trained[0]
    for r, other in enumerate(trained[1:], 1):
        with torch.no_grad():
            here = factors_at(first, theta_of(other))
        pairs = list(zip(here, other.factors(), strict=True))
        if all(torch.allclose(a, b, 1e-3, 1e-4 * float(b.abs().max())) for a, b in pairs):
            continue
        differing = [
            f"{part}.{name}"
            for part in ("model", "features")
            for name, value in getattr(other.config, part).model_dump().items()
            if getattr(first.config, part).model_dump().get(name) != value
        ]
        raise ConfigError(
            f"the weights of '{name_of(trained, r)}' give other scores in the network of "
            f"'{name_of(trained, 0)}' (settings that differ: {', '.join(differing) or 'none'}); "
            "what passes through both needs runs of equal networks and features."
        )


def name_of(trained: Sequence[Trained], r: int) -> str:
    """What figures call a run: its label, its id, or its number.

    Labels that repeat among the runs, as those of several seeds do, end in the end of the id.
    """
    label, run = trained[r].label, trained[r].run
    if label and run and [other.label for other in trained].count(label) > 1:
        return f"{label} · {run[-4:]}"
    return label or run or f"run {r + 1}"


@dataclass(frozen=True)
class Planes:
    """Planes of the compared runs, one each, or one through all of them."""

    planes: list[Plane]
    descriptions: list[str]
    """What each direction is, in words."""
    passes_through: list[list[float]]
    """Where the runs lie on a single plane through them; empty otherwise."""


def chosen_planes(
    trained: Sequence[Trained],
    config: SliceConfig,
    triples: Triples,
    snapshots: Sequence[Sequence[Theta]] | None,
    progress: Progress,
) -> Planes:
    """Directions of the config's kinds for all runs.

    Eigenvectors and the gradient are the first run's, so that all are looked at along the same
    ones. Raises ConfigError where a kind needs more runs or saved weights than were given.
    """
    kinds = config.kinds
    origins = [theta_of(t) for t in trained]
    n_others = kinds.count("difference")
    if n_others and len(trained) != n_others + 1:
        raise ConfigError(
            f"direction 'difference' {'twice ' if n_others > 1 else ''}needs {n_others + 1} runs, "
            f"{len(trained)} given; choose as many, or another direction."
        )
    if n_others:
        check_one_network(trained)
    eigenvectors = _eigenvectors(trained[0], triples, kinds, config.seed, progress)
    counts: dict[str, int] = {}
    notes: dict[int, str] = {}
    per_run: list[list[Theta]] = [[] for _ in trained]
    descriptions = []
    for axis, kind in enumerate(kinds):
        index = counts.get(kind, 0)
        counts[kind] = index + 1
        if kind == "random":
            raw = random_direction(trained[0].model, config.seed, axis, config.include_biases)
            for r, directions in enumerate(per_run):
                measure = origins[r] if config.scale_to == "own" else origins[0]
                directions.append(normalised(raw, measure, config.normalisation))
        else:
            if kind == "difference":
                one: Theta = moved(origins[index + 1], origins[0], -1.0)
            elif kind == "trajectory":
                one = _axis(trained[0], origins, snapshots, index)
            elif kind == "gradient":
                one = _gradient(trained[0], triples)
            else:
                one, notes[axis] = eigenvectors[kind][index]
            for directions in per_run:
                directions.append(one)
        descriptions.append(_description(kind, index, trained, config) + notes.get(axis, ""))
    if not n_others:
        planes = [
            Plane(t, origin, tuple(directions), name_of(trained, r))
            for r, (t, origin, directions) in enumerate(zip(trained, origins, per_run, strict=True))
        ]
        return Planes(planes, descriptions, [])
    label = " – ".join(name_of(trained, r) for r in range(n_others + 1))
    places = [[0.0] * len(kinds)]
    for axis, kind in enumerate(kinds):
        if kind == "difference":
            places.append([float(k == axis) for k in range(len(kinds))])
    return Planes([Plane(trained[0], origins[0], tuple(per_run[0]), label)], descriptions, places)


def _eigenvectors(
    trained: Trained,
    triples: Triples,
    kinds: Sequence[DirectionKind],
    seed: int,
    progress: Progress,
) -> dict[str, list[tuple[dict[str, Tensor], str]]]:
    """By kind: eigenvectors, each with its eigenvalue in words and whether it has converged."""
    n_top, n_bottom = kinds.count("top_eigenvector"), kinds.count("bottom_eigenvector")
    if not n_top + n_bottom:
        return {}
    hessian = FactorHessian(trained, triples)
    start = hessian.space.normal(torch_generator(seed, "slice eigenvectors"))
    pairs = extreme_eigenpairs(hessian.product, start, n_top, n_bottom, progress=progress)
    found = []
    for vector_P, value, is_sure in zip(
        pairs.vectors_KP, pairs.values_K, pairs.converged_K, strict=True
    ):
        unsure = "" if is_sure else f", not converged after {pairs.n_products} products"
        found.append((hessian.space.theta(vector_P), f" (eigenvalue {value:.3g}{unsure})"))
    return {"top_eigenvector": found[:n_top], "bottom_eigenvector": found[n_top:]}


def _axis(
    trained: Trained,
    origins: Sequence[Theta],
    snapshots: Sequence[Sequence[Theta]] | None,
    index: int,
) -> dict[str, Tensor]:
    axes, _ = main_axes(
        ThetaSpace.of(trained.model), origins, snapshots or [[] for _ in origins], index + 1
    )
    return axes[index]


def _gradient(trained: Trained, triples: Triples) -> dict[str, Tensor]:
    hessian = FactorHessian(trained, triples)
    gradient_P = hessian.gradient()
    return hessian.space.theta(gradient_P / max(length(gradient_P), 1e-30))


def _description(
    kind: DirectionKind, index: int, trained: Sequence[Trained], config: SliceConfig
) -> str:
    first = name_of(trained, 0)
    nth = ORDINALS[index] if index < len(ORDINALS) else ""
    if kind == "random":
        biases = "with biases" if config.include_biases else "without biases"
        length = {"filter": "per filter", "layer": "per layer", "none": "not"}
        return f"{nth}random Gaussian, {length[config.normalisation]} normalised, {biases}"
    if kind == "difference":
        return f"from {first} to {name_of(trained, index + 1)}"
    if kind == "trajectory":
        return f"{nth}main axis of the training trajectories"
    if kind == "gradient":
        return f"loss gradient of {first}"
    end = "top" if kind == "top_eigenvector" else "bottom"
    return f"{nth}{end} Hessian eigenvector of {first}"


def axis_points(
    surveys: Sequence[Survey],
    axis: int,
    config: SliceConfig,
    snapshots: Sequence[Sequence[Theta]] | None = None,
) -> tuple[np.ndarray, str]:
    """Grid points along one axis, shared by all planes, and how their range came about."""
    if config.kinds[axis] == "difference":
        return np.linspace(-0.5, 1.5, config.n_points), "-0.5 to 1.5"
    if config.radius is not None:
        radius, how = config.radius, "as asked"
    elif config.kinds[axis] == "trajectory" and snapshots is not None:
        radius, how = trajectory_radius(surveys, axis, snapshots), "holds the trajectories"
    else:
        radius, how = doubling_radius(surveys, axis)
    return np.linspace(-radius, radius, config.n_points), f"±{radius:.3g} ({how})"


def trajectory_radius(
    surveys: Sequence[Survey], axis: int, snapshots: Sequence[Sequence[Theta]]
) -> float:
    """A quarter more than the way along an axis to the snapshot that is farthest from its run."""
    places = []
    for r, saved in enumerate(snapshots):
        plane = surveys[min(r, len(surveys) - 1)].plane
        space = ThetaSpace.of(plane.trained.model)
        places.append(projected(space, plane.origin, plane.directions, saved)[0][:, axis])
    return float(1.25 * max(np.abs(place).max() for place in places))


def doubling_radius(surveys: Sequence[Survey], axis: int) -> tuple[float, str]:
    """The distance along an axis where the train loss, averaged over both ways and all runs,
    relative to each run's own, is twice that of the weights; and that in words.

    Found on a ladder of distances with ratio sqrt 2 and interpolated between its steps. Where the
    loss doubles nowhere on it: the weights' own length.
    """
    # In lengths of the direction, so that the ladder reaches from 0.001 to 16 times the weights.
    units = [
        length_of(s.plane.origin) / max(length_of(s.plane.directions[axis]), 1e-30) for s in surveys
    ]
    unit = max(units)
    ladder = unit * np.sqrt(2.0) ** np.arange(-20, 9)
    before, before_ratio = 0.0, 1.0
    for start in range(0, len(ladder), 8):
        steps = ladder[start : start + 8]
        ratios = np.mean([_ratios(s, axis, steps) for s in surveys], axis=0)
        for step, ratio in zip(steps, ratios, strict=True):
            if ratio >= 2.0:
                share = (2.0 - before_ratio) / (ratio - before_ratio)
                return float(before + share * (step - before)), "train loss has doubled"
            before, before_ratio = step, ratio
    return float(unit), "as long as the weights; train loss doubles nowhere near"


def _ratios(survey: Survey, axis: int, steps: np.ndarray) -> np.ndarray:
    points = np.zeros((2 * len(steps) + 1, len(survey.plane.directions)))
    points[1:, axis] = np.concatenate([steps, -steps])
    losses = survey.values(["train_loss"], points)[0]
    return losses[1:].reshape(2, -1).mean(axis=0) / max(losses[0], 1e-12)
