"""Computes slices: ``loss_slice``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.data.features import Features
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.geometry.comparable_runs import check_comparable, name_of
from engine.geometry.directions.random_directions import cosine
from engine.geometry.directions.trajectory_axes import project_trajectory
from engine.geometry.fixed_sample import FixedSample
from engine.geometry.slices.axis_ranges import axis_points
from engine.geometry.slices.plane import Plane
from engine.geometry.slices.plane_evaluation import PlaneEvaluator
from engine.geometry.slices.slice_config import SliceConfig
from engine.geometry.slices.slice_directions import Planes, planes_through
from engine.geometry.slices.slice_result import Slice
from engine.geometry.theta import Theta, ThetaSpace
from engine.training import Trained


def loss_slice(
    trained: Sequence[Trained],
    config: SliceConfig | None = None,
    progress: Progress = silent,
    *,
    perturbed: Sequence[Features] | None = None,
    snapshots: Sequence[Sequence[Theta]] | None = None,
    preview: Callable[[Slice], None] | None = None,
) -> Slice:
    """Losses and metrics on a line or plane through each run's weights (docs/method.md, section 7).

    All runs share directions, triples, users and axes. ``perturbed`` holds each run's perturbed
    features, for quantities that start with ``robust_``; ``snapshots`` each run's weights saved
    along training, in order, for the trajectory directions and for drawing the trajectory. Where
    points are computed one by one, ``preview`` receives the slice so far, from coarse to fine for
    all runs together, with NaN where nothing was computed yet.

    Raises ConfigError where the runs, perturbed features or snapshots do not fit the config.
    """
    config = config or SliceConfig()
    started = time.perf_counter()
    _check(trained, config, perturbed, snapshots)
    first = trained[0]
    sample = FixedSample.draw(
        first.dataset,
        config.quantities,
        config.n_triples,
        config.n_users,
        config.seed,
        next(first.model.parameters()).device,
    )
    through = planes_through(
        trained, config, sample.triples["train"], snapshots, part(progress, 0.0, 0.1)
    )
    evaluators = [
        PlaneEvaluator(plane, sample, perturbed[r] if perturbed is not None else None)
        for r, plane in enumerate(through.planes)
    ]
    progress(0.1, "range of the axes")
    axes = [axis_points(evaluators, axis, config, snapshots) for axis in range(config.dimensions)]
    empty = _empty_slice(trained, config, through, sample, axes)
    known = _values_at_runs(empty, evaluators, trained, through.passes_through)
    if snapshots is not None and any(len(s) for s in snapshots):
        known |= _trajectories(trained, evaluators, snapshots)
    # The grid comes last, so that previews have all the rest.
    empty = dataclasses.replace(empty, **known)
    values_RQAB = _measure_grid(empty, evaluators, part(progress, 0.15, 1.0), preview)
    provenance = {
        "dataset": first.dataset.fingerprint,
        "dataset_name": first.dataset.name,
        "runs": [t.run for t in trained],
        "n_triples": {split: len(t) for split, t in sample.triples.items()},
        "n_users": len(sample.users),
        "seconds": time.perf_counter() - started,
    }
    return dataclasses.replace(empty, provenance=provenance, values_RQAB=values_RQAB)


def _check(
    trained: Sequence[Trained],
    config: SliceConfig,
    perturbed: Sequence[Features] | None,
    snapshots: Sequence[Sequence[Theta]] | None,
) -> None:
    check_comparable(trained)
    robust = config.robust_quantities
    if robust and perturbed is None:
        raise ConfigError(
            f"{', '.join(robust)} needs perturbed features; give them, or leave it out."
        )
    for what, per_run in (("perturbed features", perturbed), ("snapshots", snapshots)):
        if per_run is not None and len(per_run) != len(trained):
            raise ConfigError(
                f"{what} of {len(per_run)} runs were given for {len(trained)} runs; one entry a "
                "run is needed."
            )
    needs_valid = [q for q in config.quantities if q == "valid_loss" or "@" in q]
    if needs_valid and len(trained[0].dataset.valid) == 0:
        raise ConfigError(
            f"dataset '{trained[0].dataset.name}' has no validation interactions, which "
            f"{', '.join(needs_valid)} needs; choose train_loss."
        )


def _empty_slice(
    trained: Sequence[Trained],
    config: SliceConfig,
    through: Planes,
    sample: FixedSample,
    axes: Sequence[tuple[np.ndarray, str]],
) -> Slice:
    """The slice with every value still missing."""
    points = [at for at, _ in axes] + [np.zeros(1)]
    counts = ", ".join(f"{len(t):,} {split} pairs" for split, t in sample.triples.items())
    shared = {"directions": "; ".join(through.descriptions)}
    if "random" in config.kinds and config.normalisation != "none" and len(trained) > 1:
        if config.scale_to == "own":
            shared["random draws"] = "the same for all, scaled to each run's own weights"
        else:
            shared["random draws"] = "the same for all, scaled to the first run's weights"
    shared["triples"] = f"{counts}, each with one fixed negative (seed {config.seed})"
    if len(sample.users):
        shared["users"] = f"{len(sample.users):,} validation users"
    if config.robust_quantities:
        whose = f"{name_of(trained, 0)}'s" if through.passes_through else "each run's"
        shared["perturbation"] = (
            f"{config.perturbation} of strength {config.strength:g}, fixed at {whose} weights "
            f"(seed {config.seed})"
        )
    if "train_objective" in config.quantities:
        whose = f"{name_of(trained, 0)}'s" if through.passes_through else "each run's own"
        shared["objective"] = whose
    shared["range"] = ", ".join(
        f"{name} {how}" for name, (_, how) in zip(("first", "second"), axes, strict=False)
    )
    is_pair = config.dimensions == 2
    n_surfaces = (len(through.planes), len(config.quantities))
    runs = [t.run for t in trained]
    return Slice(
        alphas_A=points[0],
        betas_B=points[1],
        values_RQAB=np.full((*n_surfaces, len(points[0]), len(points[1])), np.nan),
        centre_RQ=np.full(n_surfaces, np.nan),
        labels=[p.label for p in through.planes],
        runs=runs if not through.passes_through else [" ".join(runs).strip()],
        quantities=list(config.quantities),
        directions=through.descriptions,
        shared=shared,
        is_exact=trained[0].model.affine,
        cosines_R=np.array([cosine(*p.directions) for p in through.planes] if is_pair else []),
        config=config.model_dump(mode="json"),
    )


def _measure_grid(
    empty: Slice,
    evaluators: Sequence[PlaneEvaluator],
    progress: Progress,
    preview: Callable[[Slice], None] | None,
) -> np.ndarray:
    """All values on the grid [R, Q, A, B], coarse ones of all runs before fine ones of any."""
    n_runs, n_quantities, *shape = empty.values_RQAB.shape
    grid = np.meshgrid(empty.alphas_A, empty.betas_B, indexing="ij")
    points_GK = np.stack(grid, axis=-1).reshape(-1, 2)
    values_RQG = np.full((n_runs, n_quantities, len(points_GK)), np.nan)
    exact = [q for q in empty.quantities if evaluators[0].is_exact(q)]
    slow = [q for q in empty.quantities if q not in exact]
    passes = [(exact, np.arange(len(points_GK)))] if exact else []
    passes += [(slow, level) for level in grid_levels(shape[0], shape[1])] if slow else []
    # A point of the slow ones costs about as much as all points of the others.
    costs = np.cumsum([0] + [1 if names is exact else len(level) for names, level in passes])
    for number, (names, level) in enumerate(passes):
        rows = [empty.quantities.index(q) for q in names]
        first, last = costs[number] / costs[-1], costs[number + 1] / costs[-1]
        shares = np.linspace(first, last, n_runs + 1)
        for r, evaluator in enumerate(evaluators):
            title = f"{empty.labels[r]}: "
            if names is slow:
                title += f"picture {number + 1} of {len(passes)}, "
            within = part(progress, shares[r], shares[r + 1], title)
            values_RQG[r, np.array(rows)[:, None], level] = evaluator.values(
                names, points_GK[level], within
            )
        if preview is not None and number + 1 < len(passes):
            so_far = values_RQG.reshape(n_runs, n_quantities, *shape).copy()
            preview(dataclasses.replace(empty, values_RQAB=so_far))
    return values_RQG.reshape(n_runs, n_quantities, *shape)


def _values_at_runs(
    empty: Slice,
    evaluators: Sequence[PlaneEvaluator],
    trained: Sequence[Trained],
    passes_through: Sequence[Sequence[float]],
) -> dict[str, Any]:
    """Values at the weights themselves, and at the runs on a plane that passes through them."""
    places_M2 = np.zeros((max(len(passes_through), 1), 2))
    for m, place in enumerate(passes_through):
        places_M2[m, : len(place)] = place
    values = [evaluator.values(empty.quantities, places_M2) for evaluator in evaluators]
    known: dict[str, Any] = {"centre_RQ": np.stack([v[:, 0] for v in values])}
    if passes_through:
        known["marks_M2"] = places_M2
        known["mark_labels"] = [name_of(trained, m) for m in range(len(places_M2))]
        known["mark_values_MQ"] = values[0].T
    return known


def _trajectories(
    trained: Sequence[Trained],
    evaluators: Sequence[PlaneEvaluator],
    snapshots: Sequence[Sequence[Theta]],
) -> dict[str, Any]:
    """Each run's snapshots on its plane (or on the one plane through all runs)."""
    space = ThetaSpace.of(trained[0].model)
    runs: list[int] = []
    places, surface, true = [np.zeros((0, 2))], [np.zeros(0)], [np.zeros(0)]
    shares_R2 = np.zeros((len(trained), 2))
    for r, (run, saved) in enumerate(zip(trained, snapshots, strict=True)):
        if not saved:
            continue
        evaluator = evaluators[min(r, len(evaluators) - 1)]
        plane = evaluator.plane
        at_N2, shares_R2[r] = project_trajectory(space, plane.origin, plane.directions, saved)
        runs += [r] * len(saved)
        places.append(at_N2)
        surface.append(evaluator.values(["train_loss"], at_N2)[0])
        for theta in saved:
            point = PlaneEvaluator(Plane(run, theta, ()), evaluator.sample)
            true.append(point.values(["train_loss"], np.zeros((1, 2)))[0])
    return {
        "trajectory_run_N": np.array(runs, dtype=np.int64),
        "trajectory_N2": np.concatenate(places),
        "trajectory_surface_N": np.concatenate(surface),
        "trajectory_loss_N": np.concatenate(true),
        "explained_variance_R2": shares_R2,
    }


def grid_levels(n_first: int, n_second: int) -> list[np.ndarray]:
    """Flat indices of a grid [A, B] in passes from coarse to fine; each index occurs once."""
    seen = np.zeros((n_first, n_second), dtype=bool)
    levels = []
    for stride in (8, 4, 2, 1):
        rows = _every_nth(n_first, stride)
        columns = _every_nth(n_second, stride)
        fresh = np.zeros_like(seen)
        fresh[np.ix_(rows, columns)] = True
        fresh &= ~seen
        seen |= fresh
        if fresh.any():
            levels.append(np.flatnonzero(fresh))
    return levels


def _every_nth(n: int, stride: int) -> np.ndarray:
    # Counted from the middle, so that the weights themselves come first.
    return np.flatnonzero((np.arange(n) - n // 2) % stride == 0)
