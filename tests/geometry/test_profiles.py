"""Profiles of the loss against the loss itself, and under all that changes no order."""

import numpy as np
import pytest
import torch

from engine.data import synthetic
from engine.foundation.errors import ConfigError
from engine.geometry import ProfileConfig, SymmetryConfig, loss_profiles
from engine.geometry.curvature.symmetry.transformations import (
    transformations,
    with_factors_as_weights,
)
from engine.geometry.profiles.profile_computation import Line, _sharpest
from engine.training import TrainConfig, fit

CONFIG = ProfileConfig(n_points=11, n_directions=3, n_triples=300, tolerance=1e-8)


def fitted(data, model="bpr-mf", **settings):
    """A run after a few epochs, in float64."""
    some = {"model.width": 4, "precision": "float64", "epochs": 12, "batch_size": 128}
    config = TrainConfig().changed({"model": model, "device": "cpu"})
    config = config.changed({"optimiser.learning_rate": 0.02} | some | settings)
    return fit(data, config).trained(data, model)


@pytest.fixture(scope="module")
def run(tiny):
    return fitted(tiny)


def test_a_profile_is_the_loss_along_the_line(run) -> None:
    loss, _, value, direction = _sharpest(run, "run", CONFIG)
    line = Line.through(loss, direction)
    assert float(direction.norm()) == pytest.approx(1)
    rises, here = line.rises(np.array([-0.7, 0.0, 0.4]))
    for distance, rise in zip((-0.7, 0.0, 0.4), rises, strict=True):
        slow = loss.loss(distance * direction) - loss.loss(0 * direction)
        assert rise == pytest.approx(slow, abs=1e-12)
    assert here == pytest.approx(loss.loss(0 * direction))
    step = 1e-3
    bend = (line.loss(step) - 2 * line.loss(0) + line.loss(-step)) / step**2
    assert bend == pytest.approx(value, rel=1e-4)
    slope = (line.loss(step) - line.loss(-step)) / (2 * step)
    assert line.slope == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_the_loss_has_doubled_where_it_is_said_to(run) -> None:
    profiles = loss_profiles([run], CONFIG)
    loss, _, _, direction = _sharpest(run, "run", CONFIG)
    reach = float(profiles.doubling_R[0])
    line = Line.through(loss, direction)
    assert max(line.loss(reach), line.loss(-reach)) == pytest.approx(2 * line.loss(0), rel=1e-6)
    assert profiles.distances_X[-1] == pytest.approx(reach)


def test_curves_stay_when_factors_are_rewritten(run) -> None:
    before = loss_profiles([run], CONFIG)
    config = SymmetryConfig(scales=(3.0,), n_draws=1, temperatures=(4.0,), shifts=(5.0,))
    seen = set()
    for how in transformations(run.factors()[1], config):
        after = loss_profiles([with_factors_as_weights(run, how)], CONFIG)
        seen.add(how.name)
        np.testing.assert_allclose(after.distances_X, before.distances_X, rtol=1e-4)
        # A direction and its opposite are the same direction.
        ends = np.sort(before.sharpest_RX[:, [0, -1]]), np.sort(after.sharpest_RX[:, [0, -1]])
        np.testing.assert_allclose(*ends, rtol=1e-4)
        assert after.eigenvalues_R == pytest.approx(before.eigenvalues_R, rel=1e-4)
    assert seen == {"scale", "rotation", "mixing", "temperature", "shift"}


def test_models_of_different_kinds_share_one_axis(run, tiny) -> None:
    profiles = loss_profiles([run, fitted(tiny, "vbpr"), fitted(tiny, "lightgcn")], CONFIG)
    assert profiles.sharpest_RX.shape == (3, 11)
    middle = profiles.sharpest_RX[:, 5]
    np.testing.assert_array_equal(middle, 0)
    near = profiles.distances_X[4:7]
    inner = loss_profiles([run], CONFIG.changed({"radius": float(near[-1]) / 20}))
    np.testing.assert_allclose(
        inner.sharpest_RX, inner.parabolas(), atol=0.05 * np.abs(inner.parabolas()).max()
    )
    assert (profiles.random_mean_RX[:, -1] < profiles.sharpest_RX[:, -1]).all()
    frame = profiles.to_frame()
    assert len(frame) == 3 * 4 * 11
    assert set(frame["direction"]) == {"sharpest", "random mean", "random low", "random high"}
    assert (profiles.random_low_RX <= profiles.random_high_RX).all()


def test_a_saved_profile_comes_back(run, tmp_path) -> None:
    profiles = loss_profiles([run], CONFIG)
    profiles.save(tmp_path / "p.npz")
    again = type(profiles).load(tmp_path / "p.npz")
    np.testing.assert_array_equal(again.sharpest_RX, profiles.sharpest_RX)
    assert again.caption == profiles.caption


def test_runs_without_a_common_ground_are_refused(run) -> None:
    other = fitted(synthetic(30, 20, 300, image_width=4, text_width=3, seed=9))
    with pytest.raises(ConfigError, match="one dataset"):
        loss_profiles([run, other], CONFIG)


def test_scores_that_order_nothing_are_shown_and_said_to_be_uncalibrated(run) -> None:
    broken = with_factors_as_weights(run)
    with torch.no_grad():
        broken.model.users.neg_()
    profiles = loss_profiles([broken], CONFIG)
    assert np.isnan(profiles.temperatures_R).all()
    assert "no better than chance" in profiles.caption
    with torch.no_grad():
        broken.model.users.zero_()
    with pytest.raises(ConfigError, match="all scores"):
        loss_profiles([broken], CONFIG)
