"""Computes slices: ``loss_slice``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

from engine.data.features import Features
from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.geometry.chosen_planes import (
    Planes,
    axis_points,
    check_comparable,
    chosen_planes,
)
from engine.geometry.directions import cosine
from engine.geometry.plane import Plane
from engine.geometry.slices import Slice, SliceConfig
from engine.geometry.surfaces import Frozen, grid_levels, values_at
from engine.geometry.theta import Theta, ThetaSpace
from engine.geometry.trajectories import projected
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
    """Losses and metrics on a line or plane through each run's weights (science.md, section 6).

    All runs share directions, triples, users and axes. ``perturbed`` holds each run's perturbed
    features, for quantities that start with ``robust_``; ``snapshots`` each run's weights saved
    along training, in order, for the trajectory directions and for drawing the trajectory. Where
    points are computed one by one, ``preview`` receives the slice so far, from coarse to fine.

    Raises ConfigError where the runs, perturbed features or snapshots do not fit the config.
    """
    config = config or SliceConfig()
    started = time.perf_counter()
    _check(trained, config, perturbed, snapshots)
    first = trained[0]
    device = next(first.model.parameters()).device
    frozen = Frozen.draw(
        first.dataset, config.quantities, config.n_triples, config.n_users, config.seed, device
    )
    chosen = chosen_planes(
        trained, config, frozen.triples["train"], snapshots, part(progress, 0.0, 0.1)
    )
    alphas_A, along = axis_points(chosen.planes, 0, config, frozen, part(progress, 0.1, 0.12))
    betas_B, across = np.zeros(1), ""
    if config.dimensions == 2:
        betas_B, across = axis_points(chosen.planes, 1, config, frozen, part(progress, 0.12, 0.15))
    blank = _blank(trained, config, chosen, frozen, alphas_A, betas_B, (along, across))
    return _filled(
        blank, trained, config, chosen, frozen, perturbed, snapshots,
        part(progress, 0.15, 1.0), preview, started,
    )  # fmt: skip


def _check(
    trained: Sequence[Trained],
    config: SliceConfig,
    perturbed: Sequence[Features] | None,
    snapshots: Sequence[Sequence[Theta]] | None,
) -> None:
    check_comparable(trained)
    robust = [q for q in config.quantities if q.startswith("robust_")]
    if robust and perturbed is None:
        raise ConfigError(
            f"{', '.join(robust)} needs perturbed features; give them, or leave it out."
        )
    for what, given in (("perturbed features", perturbed), ("snapshots", snapshots)):
        if given is not None and len(given) != len(trained):
            raise ConfigError(
                f"{what} of {len(given)} runs were given for {len(trained)} runs; one entry a run "
                "is needed."
            )
    needs_valid = [q for q in config.quantities if q == "valid_loss" or "@" in q]
    if needs_valid and len(trained[0].dataset.valid) == 0:
        raise ConfigError(
            f"dataset '{trained[0].dataset.name}' has no validation interactions, which "
            f"{', '.join(needs_valid)} needs; choose train_loss."
        )


def _blank(
    trained: Sequence[Trained],
    config: SliceConfig,
    chosen: Planes,
    frozen: Frozen,
    alphas_A: np.ndarray,
    betas_B: np.ndarray,
    ranges: tuple[str, str],
) -> Slice:
    """The slice with every value still missing."""
    n_runs, n_quantities = len(chosen.planes), len(config.quantities)
    counts = ", ".join(f"{len(t):,} {split} pairs" for split, t in frozen.triples.items())
    shared = {"directions": "; ".join(chosen.descriptions)}
    if "random" in config.kinds and config.normalisation != "none" and len(trained) > 1:
        whose = "each run's own" if config.scale_to == "own" else "the first run's"
        shared["scaled to"] = f"{whose} weights"
    shared["triples"] = f"{counts}, each with one fixed negative (seed {config.seed})"
    if len(frozen.users):
        shared["users"] = f"{len(frozen.users):,} validation users"
    shared["range"] = f"first {ranges[0]}" + (f", second {ranges[1]}" if ranges[1] else "")
    is_pair = config.dimensions == 2
    single = bool(chosen.passes_through)
    return Slice(
        alphas_A=alphas_A,
        betas_B=betas_B,
        values_RQAB=np.full((n_runs, n_quantities, len(alphas_A), len(betas_B)), np.nan),
        centre_RQ=np.full((n_runs, n_quantities), np.nan),
        labels=[p.label for p in chosen.planes],
        runs=[" ".join(t.run for t in trained).strip()] if single else [t.run for t in trained],
        quantities=list(config.quantities),
        directions=chosen.descriptions,
        shared=shared,
        is_exact=trained[0].model.affine,
        cosines_R=np.array([cosine(*p.directions) for p in chosen.planes] if is_pair else []),
        config=config.model_dump(mode="json"),
    )


def _filled(
    blank: Slice,
    trained: Sequence[Trained],
    config: SliceConfig,
    chosen: Planes,
    frozen: Frozen,
    perturbed: Sequence[Features] | None,
    snapshots: Sequence[Sequence[Theta]] | None,
    progress: Progress,
    preview: Callable[[Slice], None] | None,
    started: float,
) -> Slice:
    values_RQAB, centre_RQ = blank.values_RQAB.copy(), blank.centre_RQ.copy()
    shape = values_RQAB.shape[2:]
    grid = np.stack(np.meshgrid(blank.alphas_A, blank.betas_B, indexing="ij"), axis=-1)
    points_GK = grid.reshape(-1, 2)
    levels = grid_levels(*shape)
    extra: dict[str, np.ndarray | list[str]] = {}
    for r, plane in enumerate(chosen.planes):
        features = perturbed[r] if perturbed is not None else None
        within = part(progress, r / len(chosen.planes), (r + 1) / len(chosen.planes), plane.label)

        def show(values_QG: np.ndarray, r: int = r) -> None:
            assert preview is not None
            values_RQAB[r] = values_QG.reshape(-1, *shape)
            preview(dataclasses.replace(blank, values_RQAB=values_RQAB.copy()))

        # The origin and the runs on the plane are measured with the grid, at their exact places.
        marks = np.array(chosen.passes_through, dtype=np.float64).reshape(-1, len(plane.directions))
        places = np.zeros((1 + len(marks), 2))
        places[1:, : marks.shape[1]] = marks
        values_QG = values_at(
            plane,
            blank.quantities,
            frozen,
            points_GK,
            within,
            features,
            levels,
            show if preview else None,
        )
        values_RQAB[r] = values_QG.reshape(-1, *shape)
        exact_QG = values_at(plane, blank.quantities, frozen, places, silent, features)
        centre_RQ[r] = exact_QG[:, 0]
        if len(marks):
            extra["marks_M2"] = places[1:]
            extra["mark_values_MQ"] = exact_QG[:, 1:].T
            extra["mark_labels"] = [
                t.label or t.run or f"run {i + 1}" for i, t in enumerate(trained[: len(marks)])
            ]
    if snapshots is not None and any(len(s) for s in snapshots):
        extra |= _trajectory(trained, chosen.planes, snapshots, frozen)
    provenance = {
        "dataset": trained[0].dataset.fingerprint,
        "dataset_name": trained[0].dataset.name,
        "runs": [t.run for t in trained],
        "n_triples": {split: len(t) for split, t in frozen.triples.items()},
        "n_users": len(frozen.users),
        "seconds": time.perf_counter() - started,
    }
    return dataclasses.replace(
        blank,
        values_RQAB=values_RQAB,
        centre_RQ=centre_RQ,
        provenance=provenance,
        **extra,  # type: ignore[arg-type]
    )


def _trajectory(
    trained: Sequence[Trained],
    planes: Sequence[Plane],
    snapshots: Sequence[Sequence[Theta]],
    frozen: Frozen,
) -> dict[str, np.ndarray | list[str]]:
    """Each run's snapshots on its plane (or on the one plane through all runs)."""
    space = ThetaSpace.of(trained[0].model)
    runs, places, true, surface, shares = [], [], [], [], []
    for r, (subject, saved) in enumerate(zip(trained, snapshots, strict=True)):
        plane = planes[min(r, len(planes) - 1)]
        if not saved:
            shares.append(np.zeros(2))
            continue
        at_N2, share = projected(space, plane.origin, plane.directions, saved)
        shares.append(share)
        places.append(at_N2)
        runs.append(np.full(len(saved), r))
        surface.append(values_at(plane, ["train_loss"], frozen, at_N2, silent)[0])
        for theta in saved:
            point = Plane(subject, theta, (), plane.label)
            true.append(values_at(point, ["train_loss"], frozen, np.zeros((1, 0)), silent)[0, 0])
    return {
        "trajectory_run_N": np.concatenate(runs).astype(np.int64),
        "trajectory_N2": np.concatenate(places),
        "trajectory_loss_N": np.array(true),
        "trajectory_surface_N": np.concatenate(surface),
        "explained_variance_R2": np.array(shares),
    }
