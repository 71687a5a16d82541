"""How far a slice reaches along each of its axes, the same for all compared runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.geometry.directions.random_directions import length_of
from engine.geometry.directions.trajectory_axes import project_trajectory
from engine.geometry.slices.plane_evaluation import PlaneEvaluator
from engine.geometry.slices.slice_config import SliceConfig
from engine.geometry.theta import Theta, ThetaSpace


def axis_points(
    evaluators: Sequence[PlaneEvaluator],
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
        radius, how = trajectory_radius(evaluators, axis, snapshots), "holds the trajectories"
    else:
        radius, how = doubling_radius(evaluators, axis)
    return np.linspace(-radius, radius, config.n_points), f"±{radius:.3g} ({how})"


def trajectory_radius(
    evaluators: Sequence[PlaneEvaluator], axis: int, snapshots: Sequence[Sequence[Theta]]
) -> float:
    """A quarter more than the way along an axis to the snapshot that is farthest from its run."""
    places = []
    for r, saved in enumerate(snapshots):
        plane = evaluators[min(r, len(evaluators) - 1)].plane
        space = ThetaSpace.of(plane.trained.model)
        places.append(project_trajectory(space, plane.origin, plane.directions, saved)[0][:, axis])
    return float(1.25 * max(np.abs(place).max() for place in places))


def doubling_radius(evaluators: Sequence[PlaneEvaluator], axis: int) -> tuple[float, str]:
    """The distance along an axis where the train loss, averaged over both ways and all runs,
    relative to each run's own, is twice that of the weights; and that in words.

    Found on a ladder of distances with ratio sqrt 2 and interpolated between its steps. Where the
    loss doubles nowhere on it: the weights' own length.
    """
    # In lengths of the direction, so that the ladder reaches from 0.001 to 16 times the weights.
    units = [
        length_of(s.plane.origin) / max(length_of(s.plane.directions[axis]), 1e-30)
        for s in evaluators
    ]
    unit = max(units)
    ladder = unit * np.sqrt(2.0) ** np.arange(-20, 9)
    before, before_ratio = 0.0, 1.0
    for start in range(0, len(ladder), 8):
        steps = ladder[start : start + 8]
        ratios = np.mean([_loss_ratios(s, axis, steps) for s in evaluators], axis=0)
        for step, ratio in zip(steps, ratios, strict=True):
            if ratio >= 2.0:
                share = (2.0 - before_ratio) / (ratio - before_ratio)
                return float(before + share * (step - before)), "train loss has doubled"
            before, before_ratio = step, ratio
    return float(unit), "as long as the weights; train loss doubles nowhere near"


def _loss_ratios(survey: PlaneEvaluator, axis: int, steps: np.ndarray) -> np.ndarray:
    points = np.zeros((2 * len(steps) + 1, len(survey.plane.directions)))
    points[1:, axis] = np.concatenate([steps, -steps])
    losses = survey.values(["train_loss"], points)[0]
    return losses[1:].reshape(2, -1).mean(axis=0) / max(losses[0], 1e-12)
