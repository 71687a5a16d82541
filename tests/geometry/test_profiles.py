"""Profiles: exact along their lines, and the same however the factors are written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.geometry import ProfileConfig, SymmetryConfig, loss_profile
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.symmetry.transformations import (
    transformations,
    with_factors_as_weights,
)
from engine.geometry.profiles.profile_computation import LossAlongLine
from engine.training import TrainConfig, Trained, fit

SMALL = ProfileConfig(n_points=11, n_random=2, n_triples=200, tolerance=1e-6, reach=1.2)


@pytest.fixture(scope="module")
def run(tiny) -> Trained:
    """A run that orders its validation triples better than chance."""
    config = TrainConfig().changed(
        {"epochs": 12, "batch_size": 128, "optimiser.learning_rate": 0.02, "device": "cpu",
         "model.width": 4, "precision": "float64"}
    )  # fmt: skip
    return fit(tiny, config).trained(tiny, "plain")


def test_the_loss_along_a_line_is_the_loss_there(run: Trained) -> None:
    point = MeasurementPoint(run, CurvatureConfig(n_triples=200))
    loss = point.invariant_loss
    assert loss is not None
    direction = point.invariant_start() / 30
    line = LossAlongLine(loss, direction)
    for t in (-2.0, -0.3, 0.0, 0.7, 3.0):
        assert line(t) == pytest.approx(loss.loss(t * direction), rel=1e-9)


def test_the_loss_doubles_where_it_is_said_to_and_random_directions_are_flatter(
    run: Trained,
) -> None:
    profile = loss_profile(run, SMALL)
    rise = profile.sharpest_X - profile.minimum
    lowest = profile.distances_X[profile.sharpest_X.argmin()]
    beyond = np.abs(profile.distances_X - lowest) > 1.15 * profile.doubling_distance
    assert (rise[beyond] > profile.minimum).any()
    assert profile.distances_X[-1] == pytest.approx(1.2 * profile.doubling_distance)
    spread = np.ptp(profile.random_NX, axis=1)
    assert spread.max() < np.ptp(profile.sharpest_X)
    assert profile.eigenvalue > 0
    frame = profile.to_frame()
    assert len(frame) == 3 * 11
    assert (frame["rise"] >= 0).all()


def test_no_rewriting_of_the_factors_moves_a_profile(run: Trained) -> None:
    own = loss_profile(with_factors_as_weights(run, None), SMALL)
    ways = list(transformations(run.factors()[1], SymmetryConfig(condition=10.0)))
    for how in ways[::3]:
        other = loss_profile(with_factors_as_weights(run, how), SMALL)
        np.testing.assert_allclose(other.doubling_distance, own.doubling_distance, rtol=1e-3)
        np.testing.assert_allclose(other.eigenvalue, own.eigenvalue, rtol=1e-4)
        mirrored = min(
            np.abs(other.sharpest_X - own.sharpest_X).max(),
            np.abs(other.sharpest_X[::-1] - own.sharpest_X).max(),
        )  # an eigenvector has no sign
        assert mirrored < 1e-3


def test_a_run_whose_scores_say_nothing_has_a_reason_in_place_of_a_profile(run: Trained) -> None:
    import copy
    import dataclasses

    model = copy.deepcopy(run.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    profile = loss_profile(dataclasses.replace(run, model=model), SMALL)
    assert profile.reason
    assert profile.to_frame().empty
    assert profile.reason in profile.caption
