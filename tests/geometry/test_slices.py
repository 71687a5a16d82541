"""Slices: exact where models are affine, shared by the runs compared, and harmless."""

import functools

import numpy as np
import pytest
import torch

from engine.evaluation import EvaluationConfig, evaluate
from engine.foundation.errors import Cancelled, ConfigError
from engine.geometry import Slice, SliceConfig, frozen_triples, loss_slice, mode_path
from engine.geometry.directions.random_directions import normalise, random_direction
from engine.geometry.slices import slice_directions


def small(**settings):
    base = {"n_points": 5, "n_triples": 200, "radius": 0.7, "quantities": ("train_loss",)}
    return SliceConfig.parse(base | settings)


def test_every_point_is_the_loss_at_the_moved_weights(make_run, any_model, loss_of):
    run = make_run(any_model, "float32", seed=1)
    config = small(n_points=7)
    result = loss_slice([run], config)
    assert result.is_exact == run.model.affine
    theta = run.model.theta()
    first, second = (normalise(random_direction(run.model, 0, k), theta, "filter") for k in (0, 1))
    triples = frozen_triples(run.dataset, 200)
    for i, a in enumerate(result.alphas_A):
        for j, b in enumerate(result.betas_B):
            moved = {n: t + a * first[n] + b * second[n] for n, t in theta.items()}
            wanted = float(loss_of(run, triples, {n: t.float() for n, t in moved.items()}))
            assert result.values_RQAB[0, 0, i, j] == pytest.approx(wanted, rel=1e-5)


def test_the_middle_of_the_grid_is_the_loss_itself(make_run, any_model, loss_of):
    run = make_run(any_model)
    result = loss_slice([run], small(dimensions=1, quantities=("train_loss", "train_objective")))
    wanted = float(loss_of(run, frozen_triples(run.dataset, 200)))
    assert result.values_RQAB[0, 0, 2, 0] == pytest.approx(wanted, rel=1e-12)
    assert result.centre_RQ[0, 0] == pytest.approx(wanted, rel=1e-12)
    assert result.centre_RQ[0, 1] >= wanted
    assert result.dimensions == 1
    assert result.surface("train_loss").shape == (5,)


@pytest.mark.parametrize(
    "kind", ["random", "top_eigenvector", "bottom_eigenvector", "gradient", "trajectory"]
)
def test_weights_are_bit_identical_afterwards(make_run, any_model, kind):
    run = make_run(any_model)
    before = run.model.theta()
    path = [{n: t * s for n, t in before.items()} for s in (0.2, 0.6)]
    quantities = ("train_loss", "valid_loss", "train_objective", "recall@5")
    loss_slice([run], small(first=kind, n_points=3, quantities=quantities), snapshots=[path])
    for name, p in run.model.named_parameters():
        assert torch.equal(p, before[name])
        assert not p.requires_grad


def test_metrics_in_the_middle_are_those_of_the_evaluation(make_run):
    run = make_run()
    config = small(dimensions=1, quantities=("recall@5", "ndcg@10"), n_users=None, n_points=3)
    result = loss_slice([run], config)
    found = evaluate(*run.factors(), run.dataset, "valid", EvaluationConfig(cutoffs=(5, 10)))
    assert result.centre_RQ[0, 0] == pytest.approx(found.means()["recall@5"])
    assert result.centre_RQ[0, 1] == pytest.approx(found.means()["ndcg@10"])


def test_robust_quantities_read_the_perturbed_features(make_run, loss_of):
    run = make_run()
    moved = {m: x + 1.0 for m, x in run.features.items()}
    config = small(dimensions=1, quantities=("train_loss", "robust_loss", "robust_recall@5"))
    result = loss_slice([run], config, perturbed=[moved])
    triples = frozen_triples(run.dataset, 200)
    wanted = float(loss_of(run, triples, features=moved))
    assert result.centre_RQ[0, 1] == pytest.approx(wanted, rel=1e-10)
    same = loss_slice([run], config, perturbed=[run.features])
    np.testing.assert_array_equal(same.values_RQAB[0, 0], same.values_RQAB[0, 1])


def test_an_adaptive_range_ends_where_the_loss_has_doubled(make_run):
    runs = [make_run(seed=1), make_run(seed=2)]
    result = loss_slice(runs, small(dimensions=1, radius=None, n_points=9))
    ends = result.values_RQAB[:, 0, [0, -1], 0].mean(axis=1) / result.centre_RQ[:, 0]
    assert ends.mean() == pytest.approx(2.0, rel=0.05)


def test_compared_runs_share_axes_triples_and_draws(make_run):
    runs = [make_run(seed=1), make_run(seed=2)]
    together = loss_slice(runs, small())
    assert together.values_RQAB.shape == (2, 1, 5, 5)
    assert together.labels == ["vbpr 1", "vbpr 2"]
    alone = loss_slice(runs[1:], small())
    np.testing.assert_array_equal(together.values_RQAB[1], alone.values_RQAB[0])
    assert {"directions", "triples", "range"} <= set(together.shared)
    first = loss_slice(runs, small(scale_to="first"))
    np.testing.assert_array_equal(first.values_RQAB[0], together.values_RQAB[0])
    assert not np.array_equal(first.values_RQAB[1], together.values_RQAB[1])


def test_a_slice_along_the_difference_passes_through_the_runs(make_run, any_model, loss_of):
    runs = [make_run(any_model, seed=s) for s in (1, 2, 3)]
    result = loss_slice(runs, small(first="difference", second="difference", n_points=5))
    triples = frozen_triples(runs[0].dataset, 200)
    losses = [float(loss_of(run, triples)) for run in runs]
    np.testing.assert_allclose(result.mark_values_MQ[:, 0], losses, rtol=1e-9)
    surface = result.surface("train_loss")
    assert result.alphas_A.tolist() == [-0.5, 0.0, 0.5, 1.0, 1.5]
    np.testing.assert_allclose([surface[1, 1], surface[3, 1], surface[1, 3]], losses, rtol=1e-9)
    assert len(result.labels) == 1


def test_robust_quantities_on_a_plane_through_runs_read_the_first_ones_features(make_run, loss_of):
    runs = [make_run(seed=s) for s in (1, 2)]
    moved = [{m: x + shift for m, x in runs[0].features.items()} for shift in (1.0, 9.0)]
    config = small(first="difference", dimensions=1, quantities=("robust_loss", "robust_recall@5"))
    result = loss_slice(runs, config, perturbed=moved)
    triples = frozen_triples(runs[0].dataset, 200)
    losses = [float(loss_of(run, triples, features=moved[0])) for run in runs]
    np.testing.assert_allclose(result.mark_values_MQ[:, 0], losses, rtol=1e-9)
    assert "fixed at vbpr 1's weights" in result.shared["perturbation"]


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [("lightgcn", {"model.n_layers": 1}, "n_layers"), ("vbpr", {"features.scaling": "unit_rows"},
      "scaling")],
)  # fmt: skip
def test_nothing_passes_through_runs_whose_weights_mean_different_things(
    make_run, model, settings, message
):
    runs = [make_run(model), make_run(model, seed=1, **settings)]
    with pytest.raises(ConfigError, match=message):
        loss_slice(runs, small(first="difference", dimensions=1))
    assert len(loss_slice(runs, small(dimensions=1)).labels) == 2  # each on a line of its own
    with pytest.raises(ConfigError, match=message):
        mode_path(runs)


def test_settings_that_matter_in_training_alone_do_not_part_runs(make_run):
    runs = [make_run("bm3"), make_run("bm3", seed=1, **{"model.contrast_weight": 0.5})]
    assert len(loss_slice(runs, small(first="difference", dimensions=1)).marks_M2) == 2


def test_runs_of_different_precision_share_no_direction(make_run):
    with pytest.raises(ConfigError, match="precision"):
        loss_slice([make_run(), make_run(precision="float32")], small())


def test_eigenvector_slices_curve_by_their_eigenvalues(make_run):
    from engine.geometry import CurvatureConfig
    from engine.geometry.curvature import curvature

    run = make_run()
    found = curvature(run, CurvatureConfig(n_triples=200, measures=False, tolerance=1e-6))
    for kind, value in (
        ("top_eigenvector", found.top_eigenvalues_K[0]),
        ("bottom_eigenvector", found.bottom_eigenvalues_K[0]),
    ):
        config = small(dimensions=1, first=kind, radius=1e-3, n_points=3)
        line = loss_slice([run], config).surface("train_loss")
        assert (line[0] - 2 * line[1] + line[2]) / 1e-6 == pytest.approx(value, rel=2e-2)


def test_eigenvectors_are_named_with_their_eigenvalue_and_said_not_to_have_converged(
    make_run, monkeypatch
):
    config = small(first="top_eigenvector", second="bottom_eigenvector", n_points=3)
    found = loss_slice([make_run()], config)
    assert "top Hessian eigenvector of vbpr 0 (eigenvalue " in found.directions[0]
    assert "(eigenvalue -" in found.directions[1]
    assert "not converged" not in found.caption
    few = functools.partial(slice_directions.extreme_eigenpairs, max_products=4)
    monkeypatch.setattr(slice_directions, "extreme_eigenpairs", few)
    unsure = loss_slice([make_run()], config)
    assert all("not converged after 4 products" in way for way in unsure.directions)


def test_a_preview_sharpens_from_coarse_to_fine_for_all_runs_alike(make_run):
    seen = []
    runs = [make_run("curved", seed=1), make_run("curved", seed=2)]
    result = loss_slice(runs, small(n_points=9), preview=seen.append)
    shares = np.array([np.isfinite(s.values_RQAB).mean(axis=(1, 2, 3)) for s in seen])
    assert len(shares) >= 2
    assert (np.diff(shares, axis=0) > 0).all()
    assert (shares[:, 0] == shares[:, 1]).all()
    assert shares[0].max() < 0.1
    assert shares[-1].max() < 1.0
    for preview in seen:
        known = np.isfinite(preview.values_RQAB)
        np.testing.assert_array_equal(preview.values_RQAB[known], result.values_RQAB[known])
        np.testing.assert_array_equal(preview.centre_RQ, result.centre_RQ)


def test_the_coarse_part_of_a_preview_is_a_whole_slice_on_fewer_lines(make_run):
    seen = []
    config = small(n_points=9, quantities=("train_loss", "recall@5"))
    result = loss_slice([make_run()], config, preview=seen.append)
    losses, first = seen[0], seen[1]
    assert losses.coarse("train_loss") is losses
    assert losses.coarse("recall@5").values_RQAB.shape[2:] == (0, 0)
    coarse = first.coarse("recall@5")
    assert coarse.alphas_A.tolist() == result.alphas_A[[4]].tolist()
    sharper = seen[2].coarse("recall@5")
    np.testing.assert_array_equal(sharper.alphas_A, result.alphas_A[[0, 4, 8]])
    np.testing.assert_array_equal(sharper.betas_B, result.betas_B[[0, 4, 8]])
    np.testing.assert_array_equal(sharper.surface("recall@5"), result.surface("recall@5")[::4, ::4])
    assert result.coarse("recall@5") is result


def test_a_trajectory_axis_reaches_a_quarter_beyond_the_farthest_snapshot(make_run):
    runs = [make_run(seed=1), make_run(seed=2)]
    paths = []
    for run, share in zip(runs, (0.1, 0.3), strict=True):
        theta = run.model.theta()
        paths.append([{n: (1 - s) * t for n, t in theta.items()} for s in (share, share / 2, 0)])
    config = small(first="trajectory", radius=None, dimensions=1)
    result = loss_slice(runs, config, snapshots=paths)
    farthest = np.abs(result.trajectory_N2[:, 0]).max()
    assert result.alphas_A[-1] == pytest.approx(1.25 * farthest)
    assert result.alphas_A[0] == -result.alphas_A[-1]
    lengths = [
        float(torch.cat([t.flatten() for t in run.model.theta().values()]).norm()) for run in runs
    ]
    assert 0.1 * max(lengths) < farthest <= 0.3 * max(lengths)
    plane = loss_slice(runs, config.changed({"dimensions": 2}), snapshots=paths)
    assert "trajectories), second" in plane.shared["range"]
    assert "doubled" in plane.shared["range"]  # the second axis is random


def test_runs_of_one_name_are_told_apart(make_run):
    from dataclasses import replace

    runs = [replace(make_run(seed=s), label="plain") for s in (1, 2)]
    result = loss_slice(runs, small(first="difference", dimensions=1))
    assert result.mark_labels == ["plain · un-1", "plain · un-2"]
    assert result.directions == ["from plain · un-1 to plain · un-2"]
    assert loss_slice(runs[:1], small(dimensions=1)).labels == ["plain"]


def test_cancelling_stops_it(make_run):
    def stop(share, _):
        if share > 0.2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        loss_slice([make_run("curved")], small(), stop)


def test_a_trajectory_is_projected_and_measured_off_the_plane(make_run, loss_of):
    run = make_run()
    theta = run.model.theta()
    noise = random_direction(run.model, 9, 0)
    path = [
        {n: t + s * (0.5 * noise[n] + theta[n]) for n, t in theta.items()} for s in (-0.8, -0.4, 0)
    ]
    result = loss_slice([run], small(first="trajectory", second="random"), snapshots=[path])
    triples = frozen_triples(run.dataset, 200)
    np.testing.assert_allclose(
        result.trajectory_loss_N, [float(loss_of(run, triples, p)) for p in path], rtol=1e-9
    )
    assert result.explained_variance_R2[0, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(result.trajectory_surface_N, result.trajectory_loss_N, rtol=1e-6)
    np.testing.assert_allclose(result.trajectory_N2[-1], 0.0, atol=1e-9)


def test_each_snapshot_has_its_true_loss_beside_the_surfaces(make_run):
    runs = [make_run(seed=s) for s in (1, 2)]
    paths = [
        [{n: t * s for n, t in run.model.theta().items()} for s in (0.3, 0.6, 0.9)][:n]
        for run, n in zip(runs, (3, 2), strict=True)
    ]
    for kind in ("random", "difference"):
        config = small(first=kind, dimensions=1, draw_trajectory=True)
        assert config.needs_snapshots
        result = loss_slice(runs, config, snapshots=paths)
        table = result.tables()["trajectory"]
        assert table["label"].tolist() == ["vbpr 1"] * 3 + ["vbpr 2"] * 2
        assert table["run"].tolist() == ["run-1"] * 3 + ["run-2"] * 2
        assert table["snapshot"].tolist() == [1, 2, 3, 1, 2]
        np.testing.assert_array_equal(table["true_loss"], result.trajectory_loss_N)
        np.testing.assert_array_equal(
            table["difference"], result.trajectory_loss_N - result.trajectory_surface_N
        )
        assert f"by up to {table['difference'].abs().max():.2g}" in result.caption
    assert "trajectory" not in loss_slice(runs[:1], small(dimensions=1)).tables()


def test_slanting_directions_are_said_to_slant(make_run):
    run = make_run()
    theta = run.model.theta()
    path = [{n: t + 0.1 * s * t for n, t in theta.items()} for s in (1.0, 0.5)]
    config = small(first="trajectory", second="gradient", n_points=3)
    slanted = loss_slice([run], config, snapshots=[path])
    assert abs(slanted.cosines_R[0]) > 0.1
    assert f"cosine is {slanted.cosines_R[0]:.2f}" in slanted.caption
    assert "cosine" not in loss_slice([run], small(n_points=3)).caption


def test_a_random_plane_holds_little_of_a_trajectory(make_run):
    run = make_run()
    path = [{n: t * s for n, t in run.model.theta().items()} for s in (0.1, 0.5)]
    result = loss_slice([run], small(), snapshots=[path])
    assert result.explained_variance_R2.sum() < 0.1
    assert "do not lie in the plane" in result.caption


def test_a_saved_slice_reads_back(make_run, tmp_path):
    result = loss_slice([make_run()], small())
    result.save(tmp_path / "slice.npz")
    again = Slice.load(tmp_path / "slice.npz")
    np.testing.assert_array_equal(again.values_RQAB, result.values_RQAB)
    assert again.shared == result.shared
    frame = result.to_frame()
    assert len(frame) == 25
    assert list(frame.columns) == ["run", "label", "quantity", "alpha", "beta", "value"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_points": 4}, "odd"),
        ({"quantities": ("loss",)}, "allowed are train_loss"),
        ({"quantities": ("recall@0",)}, "recall@0"),
        ({"radius": -1.0}, "radius"),
        ({"first": "gradient", "second": "gradient"}, "one gradient"),
    ],
)
def test_a_bad_config_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        small(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first": "difference"}, "needs 2 runs"),
        ({"first": "trajectory"}, "saved along training"),
        ({"quantities": ("robust_loss",)}, "perturbed features"),
    ],
)
def test_what_a_slice_lacks_is_named(make_run, settings, message):
    with pytest.raises(ConfigError, match=message):
        loss_slice([make_run()], small(**settings))


def test_runs_of_different_models_share_no_direction(make_run):
    with pytest.raises(ConfigError, match="share no direction"):
        loss_slice([make_run("vbpr"), make_run("bpr-mf")], small())
