"""Curvature along training."""

import numpy as np
import pytest

from engine.foundation.errors import ConfigError
from engine.geometry import (
    CurvatureConfig,
    TrainingCurvature,
    TrainingCurvatureConfig,
    curvature_along_training,
)
from engine.geometry.curvature import curvature


def test_each_snapshot_has_the_curvature_of_a_run_with_those_weights(make_run, tmp_path):
    runs = [make_run(seed=s) for s in (1, 2, 3)]
    snapshots = [run.model.theta() for run in runs]
    before = runs[0].model.theta()
    config = TrainingCurvatureConfig(n_triples=200, tolerance=1e-4)
    found = curvature_along_training(runs[0], config, snapshots=snapshots, epochs=[2, 4, 6])
    assert found.epochs_N.tolist() == [2, 4, 6]
    for run, (_, row) in zip(runs, found.to_frame().iterrows(), strict=True):
        alone = curvature(run, CurvatureConfig(n_triples=200, tolerance=1e-4))
        assert row["loss"] == pytest.approx(alone.loss)
        assert row["gradient_norm"] == pytest.approx(alone.gradient_norm)
        for name in found.measures:
            wanted = alone.measures.get(name, np.nan)
            assert row[name] == pytest.approx(wanted, rel=1e-3, nan_ok=True)
    assert all((runs[0].model.theta()[n] == t).all() for n, t in before.items())
    found.save(tmp_path / "along.npz")
    again = TrainingCurvature.load(tmp_path / "along.npz")
    np.testing.assert_array_equal(again.values_MN, found.values_MN)


def test_of_many_snapshots_some_are_chosen_evenly_and_the_last_always(make_run):
    run = make_run()
    config = TrainingCurvatureConfig(n_snapshots=3, n_triples=50)
    snapshots = [run.model.theta()] * 8
    found = curvature_along_training(run, config, snapshots=snapshots, epochs=range(1, 9))
    assert found.epochs_N.tolist() == [1, 5, 8]


def test_no_snapshots_are_refused(make_run):
    with pytest.raises(ConfigError, match="0 snapshots"):
        curvature_along_training(make_run(), snapshots=[], epochs=[])
