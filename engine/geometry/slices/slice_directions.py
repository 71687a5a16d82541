"""Directions of a slice, by kind, and the planes they span through the compared runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress
from engine.foundation.seeding import torch_generator
from engine.geometry.comparable_runs import check_one_network, name_of
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian
from engine.geometry.curvature.hessian.lanczos import extreme_eigenpairs
from engine.geometry.directions.random_directions import normalise, random_direction
from engine.geometry.directions.trajectory_axes import main_axes
from engine.geometry.long_vectors import length
from engine.geometry.slices.plane import Plane
from engine.geometry.slices.slice_config import DirectionKind, SliceConfig
from engine.geometry.theta import Theta, ThetaSpace, displace, theta_of
from engine.objectives import Triples
from engine.training import Trained

ORDINALS = ("", "second ")


@dataclass(frozen=True)
class Planes:
    """Planes of the compared runs, one each, or one through all of them."""

    planes: list[Plane]
    descriptions: list[str]
    """What each direction is, in words."""
    passes_through: list[list[float]]
    """Where the runs lie on a single plane through them; empty otherwise."""


def planes_through(
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
                directions.append(normalise(raw, measure, config.normalisation))
        else:
            if kind == "difference":
                one: Theta = displace(origins[index + 1], origins[0], -1.0)
            elif kind == "trajectory":
                one = _trajectory_axis(trained[0], origins, snapshots, index)
            elif kind == "gradient":
                one = _unit_gradient(trained[0], triples)
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
    eigenvectors = []
    for vector_P, value, is_sure in zip(
        pairs.vectors_KP, pairs.values_K, pairs.converged_K, strict=True
    ):
        unsure = "" if is_sure else f", not converged after {pairs.n_products} products"
        eigenvectors.append((hessian.space.theta(vector_P), f" (eigenvalue {value:.3g}{unsure})"))
    return {"top_eigenvector": eigenvectors[:n_top], "bottom_eigenvector": eigenvectors[n_top:]}


def _trajectory_axis(
    trained: Trained,
    origins: Sequence[Theta],
    snapshots: Sequence[Sequence[Theta]] | None,
    index: int,
) -> dict[str, Tensor]:
    axes, _ = main_axes(
        ThetaSpace.of(trained.model), origins, snapshots or [[] for _ in origins], index + 1
    )
    return axes[index]


def _unit_gradient(trained: Trained, triples: Triples) -> dict[str, Tensor]:
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
