"""The curvature analysis against dense float64 Hessians."""

import numpy as np
import pytest
import torch

from engine.foundation.errors import Cancelled, ConfigError
from engine.geometry import MEASURES, Curvature, CurvatureConfig, frozen_triples
from engine.geometry.curvature import curvature
from engine.geometry.theta import ThetaSpace, blocks_of, theta_of


def dense_eigenvalues(run, loss_of, block=None):
    triples = frozen_triples(run.dataset)
    space = ThetaSpace.of(run.model, block)
    fixed = theta_of(run)
    with torch.enable_grad():
        hessian = torch.autograd.functional.hessian(
            lambda vector: loss_of(run, triples, fixed | space.theta(vector)),
            space.vector(fixed).clone(),
        )
    return torch.linalg.eigvalsh(hessian).numpy()


def test_eigenvalues_trace_and_density_are_those_of_the_dense_hessian(
    make_run, any_model, few, loss_of
):
    run = make_run(any_model, dataset=few)
    config = CurvatureConfig(n_bottom=2, tolerance=1e-4, trace_products=30, density_probes=10)
    result = curvature(run, config)
    exact = dense_eigenvalues(run, loss_of)
    assert result.has_converged
    assert result.n_parameters == len(exact)
    np.testing.assert_allclose(result.top_eigenvalues_K, exact[::-1][:5], rtol=1e-4)
    np.testing.assert_allclose(result.bottom_eigenvalues_K, exact[:2], rtol=1e-3)
    assert abs(result.trace - exact.sum()) <= 4 * result.trace_error + 1e-9
    assert np.trapezoid(result.density_G, result.density_grid_G) == pytest.approx(1, abs=1e-6)
    spread = np.sqrt((exact**2).mean() / 10)
    mean = result.density_nodes_N @ result.density_weights_N
    assert abs(mean - exact.mean()) < 4 * spread
    for block in blocks_of(run.model):
        own = dense_eigenvalues(run, loss_of, block)
        assert result.blocks[block] == pytest.approx(own[-1], rel=1e-3)


def test_weights_are_bit_identical_afterwards(make_run, any_model):
    run = make_run(any_model, "float32")
    before = run.model.theta()
    quick = CurvatureConfig(n_triples=100, n_bottom=0, density_steps=5, tolerance=0.05)
    curvature(run, quick.changed({"gauss_newton": True}))
    curvature(run, quick.changed({"loss": "objective", "measures": False}))
    for name, p in run.model.named_parameters():
        assert torch.equal(p, before[name])
        assert not p.requires_grad


def test_products_are_counted_and_measures_are_known(make_run):
    result = curvature(make_run(), CurvatureConfig(n_triples=200, gauss_newton=True))
    assert set(result.measures) <= set(MEASURES)
    assert result.products["eigenvalues"] > 5
    assert result.products["trace"] == 12
    assert result.products["density"] == 40
    assert result.measures["gauss_newton_top_eigenvalue"] > 0
    assert result.input_sharpness_MI.shape == (2, 40)
    inputs = result.tables()["inputs"]
    assert len(inputs) == 80
    first = inputs.iloc[0]
    row = result.modalities.index(first["modality"])
    assert first["input_sharpness"] == result.input_sharpness_MI[row, first["item"]]
    assert first["input_sharpness"] == result.input_sharpness_MI.max()


def test_a_model_without_features_has_no_input_sharpness(make_run):
    result = curvature(make_run("bpr-mf"), CurvatureConfig(n_triples=200))
    assert result.modalities == []
    assert "input_sharpness_image" not in result.measures
    assert "inputs" not in result.tables()


def test_equal_seeds_give_equal_results_and_a_saved_one_reads_back(make_run, tmp_path):
    config = CurvatureConfig(n_triples=100, density_steps=10)
    first, again = (curvature(make_run(), config) for _ in range(2))
    np.testing.assert_array_equal(first.top_eigenvalues_K, again.top_eigenvalues_K)
    assert first.measures == again.measures
    first.save(tmp_path / "curvature.npz")
    loaded = Curvature.load(tmp_path / "curvature.npz")
    assert loaded.measures == first.measures
    np.testing.assert_array_equal(loaded.density_G, first.density_G)
    assert set(first.to_frame()["measure"]) == set(first.measures)
    tables = first.tables()
    assert len(tables["eigenvalues"]) == 6
    trace = tables["summary"].set_index("quantity").loc["trace"]
    assert (trace["value"], trace["error"]) == (first.trace, first.trace_error)
    products = tables["cost"].set_index("purpose")["products"]
    assert products["eigenvalues"] == first.products["eigenvalues"]


def test_the_caption_says_on_what_and_that_the_weights_are_no_minimum(make_run):
    result = curvature(make_run(), CurvatureConfig(n_triples=100))
    assert result.n_pairs == len(make_run().dataset.train)
    assert f"100 frozen training triples ({100 / result.n_pairs:.0%} of all)" in result.caption
    assert result.bottom_eigenvalues_K[0] < 0
    assert "no minimum" in result.caption
    whole = curvature(make_run(), CurvatureConfig(n_bottom=0, loss="objective", measures=False))
    assert f"whole objective on all {whole.n_triples:,} frozen" in whole.caption
    assert "no minimum" not in whole.caption


def test_what_did_not_converge_is_named_wherever_it_is(make_run):
    result = curvature(make_run(), CurvatureConfig(max_products=10, tolerance=1e-9))
    assert not result.has_converged
    assert {"eigenvalues", "block users", "block items"} <= set(result.unconverged)
    assert "Not within tolerance when the products ran out: eigenvalues, block" in result.caption
    table = result.eigenvalue_frame()
    assert (table["estimated_error"] > table["tolerance"]).all()
    fine = curvature(make_run(), CurvatureConfig())
    assert fine.unconverged == []
    table = fine.eigenvalue_frame()
    assert (table["estimated_error"] <= table["tolerance"]).all()
    assert "Not within" not in fine.caption


def test_fewer_products_than_eigenvalues_are_refused():
    with pytest.raises(ConfigError, match="at least 51 products"):
        CurvatureConfig.parse({"max_products": 20, "n_top": 50})


def test_cancelling_stops_it(make_run):
    def stop(share, _):
        if share > 0.3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        curvature(make_run(), CurvatureConfig(n_triples=100), stop)


def test_gauss_newton_is_refused_for_the_whole_objective(make_run):
    with pytest.raises(ConfigError, match="ranking loss only"):
        curvature(make_run(), CurvatureConfig(loss="objective", gauss_newton=True))
