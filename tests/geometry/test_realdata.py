"""What the house promises on ml100k-posters."""

import numpy as np
import pytest

from engine.data import read_dataset
from engine.geometry import CurvatureConfig, SliceConfig, loss_slice
from engine.geometry.curvature import curvature
from engine.training import Trained, fit, preset


@pytest.mark.realdata
def test_five_eigenvalues_in_60_products_and_an_exact_slice(ml100k_path):
    dataset = read_dataset(ml100k_path)
    config = preset("plain", {"epochs": 5, "device": "cpu"})
    done = fit(dataset, config)
    run = Trained(done.model, dataset, done.features, config, "plain")
    quick = CurvatureConfig(
        n_bottom=0, density_probes=0, trace_products=0, per_block=False, measures=False
    )
    result = curvature(run, quick)
    assert result.has_converged
    assert result.products["eigenvalues"] <= 60
    finer = curvature(run, quick.changed({"tolerance": 1e-6}))
    np.testing.assert_allclose(result.top_eigenvalues_K, finer.top_eigenvalues_K, rtol=1e-3)
    surface = loss_slice([run], SliceConfig(quantities=("train_loss",), n_points=11))
    assert surface.centre_RQ[0, 0] == pytest.approx(result.loss, rel=1e-5)
    assert surface.values_RQAB.min() > 0.5 * result.loss
