"""Invariant measures against dense float64 oracles, and under all that changes no order."""

import functools

import numpy as np
import pytest
import torch

from engine.data import synthetic
from engine.geometry import (
    CurvatureConfig,
    ModePathConfig,
    ProfileConfig,
    SliceConfig,
    Symmetry,
    SymmetryConfig,
    loss_profiles,
    loss_slice,
    measure_symmetry,
    mode_path,
)
from engine.geometry.curvature.invariant_metric import InvariantLoss, canonical_factors
from engine.geometry.curvature.measurement_point import MeasurementPoint
from engine.geometry.curvature.measures import MEASURES
from engine.geometry.curvature.symmetry.transformations import (
    transformations,
    with_factors_as_weights,
)
from engine.geometry.curvature.temperature import fit_temperature, temperature_of
from engine.geometry.ranking_loss import margins_of
from engine.geometry.triples import frozen_triples
from engine.training import TrainConfig, fit

VBPR_SUM = "vbpr as amr ships it"

COMPARED = ["vbpr", VBPR_SUM, "bpr-mf", "lightgcn"]

INVARIANT = [name for name, measure in MEASURES.items() if measure.is_invariant]


@pytest.fixture(scope="module")
def fitted(tiny):
    """A run after a few epochs, by model; random weights need not order triples at all."""
    runs = {}

    def make(model):
        if model not in runs:
            form = {"model.form": "sum"} if model == VBPR_SUM else {}
            name = "vbpr" if form else model
            settings = {"epochs": 12, "batch_size": 128, "optimiser.learning_rate": 0.02}
            config = TrainConfig().changed({"model": name, "device": "cpu"} | settings)
            config = config.changed({"model.width": 4, "precision": "float64"} | form)
            runs[model] = fit(tiny, config).trained(tiny, model)
        return runs[model]

    return make


FEW = SymmetryConfig.parse(
    {"n_triples": 200, "n_draws": 1, "scales": (4,), "temperatures": (4,), "shifts": (5,)}
)


@pytest.fixture(scope="module")
def symmetry_of(fitted):
    """The symmetry of the fitted run of a model, measured once."""
    return functools.cache(lambda model: measure_symmetry(fitted(model), FEW))


def dense_whitened_hessian(users, items, temperature, triples):
    """``G^-1/2 H G^-1/2`` from autograd and the metric's definition: slow and obvious."""
    users = temperature * users
    n_users, n_items, width = len(users), len(items), users.shape[1]
    split = users.numel()

    def loss(flat):
        u, v = flat[:split].view_as(users), flat[split:].view_as(items)
        scores = u @ v.T
        gaps = scores[triples.users, triples.positives] - scores[triples.users, triples.negatives]
        return torch.nn.functional.softplus(-gaps).mean()

    at = torch.cat([users.reshape(-1), items.reshape(-1)])
    with torch.enable_grad():
        hessian = torch.autograd.functional.hessian(loss, at)
        gradient = torch.autograd.functional.jacobian(loss, at)
    centred = items - items.mean(0)
    blocks = [centred.T @ centred / n_items] * n_users + [users.T @ users / n_users] * n_items
    metric = torch.block_diag(*blocks)
    values, vectors = torch.linalg.eigh(metric)
    assert values.min() > 1e-8
    assert metric.shape == (width * (n_users + n_items),) * 2
    root = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    return root @ hessian @ root, root @ gradient


@pytest.fixture
def small_loss(make_run, few):
    """Make the invariant loss of a run on fourteen users and ten items."""

    def make(model):
        run = make_run(model, dataset=few)
        triples = frozen_triples(few)
        users, items = run.factors()
        return users, items, triples, InvariantLoss(users, items, 1.7, triples)

    return make


@pytest.mark.parametrize("model", COMPARED)
def test_the_spectrum_is_that_of_the_dense_hessian_in_the_metric(small_loss, model):
    users, items, triples, loss = small_loss(model)
    dense, gradient = dense_whitened_hessian(users, items, 1.7, triples)
    eye = torch.eye(loss.size, dtype=torch.float64)
    applied = torch.stack([loss.product(e) for e in eye])
    torch.testing.assert_close(applied, applied.T, rtol=1e-9, atol=1e-11)
    found, wanted = torch.linalg.eigvalsh(applied), torch.linalg.eigvalsh(dense)
    torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-10)
    assert loss.trace() == pytest.approx(float(dense.trace()), rel=1e-9)
    slope = loss.gradient(torch.zeros_like(eye[0]))
    assert float(slope.norm()) == pytest.approx(float(gradient.norm()), rel=1e-9)
    gauss_newton = torch.stack([loss.gauss_newton_product(e) for e in eye])
    assert float(torch.linalg.eigvalsh(gauss_newton)[0]) > -1e-10
    assert float(gauss_newton.trace()) == pytest.approx(loss.trace(), rel=1e-9)


@pytest.mark.parametrize("model", COMPARED)
def test_gradient_and_product_are_derivatives_of_the_loss(small_loss, model):
    *_, loss = small_loss(model)
    at, way = torch.randn(2, loss.size, dtype=torch.float64) * 0.1
    step = 1e-5
    rise = (loss.loss(at + step * way) - loss.loss(at - step * way)) / (2 * step)
    assert float(loss.gradient(at) @ way) == pytest.approx(rise, rel=1e-6)
    bend = (loss.gradient(step * way) - loss.gradient(-step * way)) / (2 * step)
    torch.testing.assert_close(loss.product(way), bend, rtol=1e-5, atol=1e-9)


def test_a_step_is_as_long_as_its_score_change(small_loss):
    """``||dU||_G^2`` sums each user's mean square change of centred scores; likewise for items."""
    *_, loss = small_loss("vbpr")
    vector = torch.randn(loss.size, dtype=torch.float64)
    users, items = loss.factor_step(vector)
    n = users.numel()
    change = users @ loss.items_IR.T
    centred = change - change.mean(1, keepdim=True)
    assert float(vector[:n].square().sum()) == pytest.approx(float(centred.square().mean(1).sum()))
    change = loss.users_UR @ items.T
    assert float(vector[n:].square().sum()) == pytest.approx(float(change.square().mean(0).sum()))


@pytest.mark.parametrize("model", COMPARED)
def test_no_rewriting_of_the_factors_moves_an_invariant_measure(fitted, model):
    run = fitted(model)
    settings = CurvatureConfig(n_triples=200, n_top=2, tolerance=1e-8)
    items = run.factors()[1]
    values = []
    for how in [None, *transformations(items, SymmetryConfig(condition=10.0))]:
        point = MeasurementPoint(with_factors_as_weights(run, how), settings)
        at = {}
        for name in INVARIANT:
            at |= {key: estimate.value for key, estimate in MEASURES[name].values(point).items()}
        values.append(at)
    assert len(values) == 11
    assert {"invariant_top_eigenvalue", "invariant_sharpness"} <= set(values[0])
    for name, own in values[0].items():
        np.testing.assert_allclose([at[name] for at in values], own, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("model", COMPARED)
def test_each_measure_is_moved_by_what_its_table_says_and_by_nothing_else(symmetry_of, model):
    found = symmetry_of(model)
    assert found.score_changes_C.max() < 1e-9
    for name, kinds in found.moved_by.items():
        measure = MEASURES.get(name, MEASURES["input_sharpness"])
        assert set(kinds) <= set(measure.moved_by), name
        assert (name in found.comparable) == measure.is_invariant, name


def test_yesterdays_comparable_measures_are_moved(symmetry_of):
    """Each was shown as one that no change of the weights moves without changing a list."""
    found = symmetry_of("bpr-mf")
    changes = found.largest_changes
    for name in ("adaptive_top_eigenvalue", "adaptive_sharpness"):
        assert changes[name]["rotation"] > 0.01
        assert changes[name]["mixing"] > 0.1
    for name in ("balanced_top_eigenvalue", "relative_noise_sharpness"):
        assert changes[name]["temperature"] > 0.1
        assert changes[name]["shift"] > 0.1
    assert set(found.comparable).isdisjoint(
        ["adaptive_top_eigenvalue", "adaptive_sharpness", "balanced_top_eigenvalue"]
    )


def test_input_sharpness_of_rewritten_factors_is_that_of_the_model(fitted, symmetry_of):
    run, found = fitted("vbpr"), symmetry_of("vbpr")
    for name in ("input_sharpness_image", "input_sharpness_text"):
        assert name in found.comparable
        point = MeasurementPoint(run, CurvatureConfig(n_triples=200))
        own = MEASURES["input_sharpness"].values(point)[name].value
        assert found.values_MC[found.measures.index(name), 0] == pytest.approx(own, rel=1e-9)


def test_symmetry_is_kept_and_told_as_tables(symmetry_of, tmp_path):
    found = symmetry_of("vbpr")
    found.save(tmp_path / "symmetry.npz")
    again = Symmetry.load(tmp_path / "symmetry.npz")
    assert again.plain() == found.plain()
    kinds = {"scale", "rotation", "mixing", "temperature", "shift"}
    assert all(set(row) == kinds for row in again.plain()["measures"].values())
    table = again.change_frame().set_index("measure")
    assert table.loc["invariant_trace", "may_be_compared"]
    assert not table.loc["top_eigenvalue", "may_be_compared"]
    assert len(again.to_frame()) == len(found.measures) * len(found.transformations)
    assert "invariant trace" in again.caption


def test_every_analysis_of_every_model_works_on_a_dozen_users(make_run, any_model):
    data = synthetic(12, 6, 40, image_width=3, text_width=2, seed=1)
    runs = [
        make_run(any_model, "float32", dataset=data, seed=s, **{"model.width": 16}) for s in (1, 2)
    ]
    run = runs[0]
    plane = {"first": "top_eigenvector", "second": "bottom_eigenvector", "n_points": 3}
    quantities = ("train_loss", "valid_loss", "recall@20")
    slices = loss_slice(runs, SliceConfig.parse(plane | {"quantities": quantities}))
    assert np.isfinite(slices.values_RQAB).all()
    path = mode_path(runs, ModePathConfig(n_steps=2, n_points=3))
    assert np.isfinite(path.train_loss_CT).all()
    profiles = loss_profiles(runs, ProfileConfig(n_points=5, n_directions=2))
    assert np.isfinite(profiles.sharpest_RX).all()
    found = measure_symmetry(run, FEW)
    assert "top_eigenvalue" in found.measures
    invariant = [name for name in found.measures if name.startswith("invariant")]
    assert set(invariant) <= set(found.comparable), found.change_frame().to_string()
    assert invariant or "No temperature" in found.caption


@pytest.mark.parametrize(("n_users", "n_items", "rank"), [(30, 20, 4), (3, 20, 3), (20, 4, 3)])
def test_canonical_factors_are_the_centred_scores_in_balance(n_users, n_items, rank):
    draws = torch.Generator().manual_seed(0)
    users, items = (torch.randn(n, 4, generator=draws).double() for n in (n_users, n_items))
    left, right, sizes = canonical_factors(users, items)
    assert len(sizes) == rank
    scores = users @ items.T
    torch.testing.assert_close(left @ right.T, scores - scores.mean(1, keepdim=True))
    torch.testing.assert_close(left.T @ left, torch.diag(sizes))
    torch.testing.assert_close(right.T @ right, torch.diag(sizes))


def test_nearly_unused_width_moves_the_full_measure_and_not_its_gauss_newton_part(make_run):
    """What the invariant eigenvalue does not escape; its description says so."""
    run = make_run("bpr-mf", seed=1)
    triples = frozen_triples(run.dataset, 200)
    draws = torch.Generator().manual_seed(0)
    users, items = run.factors()
    values = []
    for size in (1e-1, 1e-2):
        more = [
            torch.cat([f, size * torch.randn(len(f), 1, generator=draws).double()], dim=1)
            for f in (users, items)
        ]
        loss = InvariantLoss(*more, 1.0, triples)
        eye = torch.eye(loss.size, dtype=torch.float64)
        values.append(
            [
                float(torch.linalg.eigvalsh(torch.stack([apply(e) for e in eye]))[-1])
                for apply in (loss.product, loss.gauss_newton_product)
            ]
        )
    assert values[1][0] > 10 * values[0][0]
    assert values[1][1] == pytest.approx(values[0][1], rel=0.05)


def test_the_temperature_minimises_the_validation_loss(make_run):
    run = make_run("vbpr", seed=2)
    users, items = run.factors()
    found = fit_temperature(users, items, run.dataset)
    margins = margins_of(users, items, frozen_triples(run.dataset, None, 0, "valid"))
    grid = found.value * torch.linspace(0.5, 2.0, 301, dtype=torch.float64)
    losses = torch.nn.functional.softplus(-grid[:, None] * margins).mean(1)
    assert float(grid[losses.argmin()]) == pytest.approx(found.value, rel=0.01)
    assert fit_temperature(4 * users, items, run.dataset).value == pytest.approx(found.value / 4)


@pytest.mark.parametrize(
    ("margins", "reason"),
    [([1.0, 2.0], "ordered right"), ([-1.0, 0.5], "by chance"), ([0.0, 0.0], "by chance")],
)
def test_where_no_temperature_minimises_the_loss_the_reason_is_said(margins, reason):
    found = temperature_of(torch.tensor(margins))
    assert found.value is None
    assert reason in found.reason
    assert found.factor == 1.0


@pytest.mark.parametrize("margins", [[1e-8, 1.0, -1e-9], [100.0, -1.0], [3.0, -2.9999]])
def test_far_away_temperatures_are_found(margins):
    margins = torch.tensor(margins, dtype=torch.float64)
    t = temperature_of(margins).value
    slope = (margins * torch.sigmoid(-t * margins)).mean() / margins.abs().max()
    assert abs(float(slope)) < 1e-10
