"""Maps: exact neighbours, repeatable, and measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.neighbors import NearestNeighbors

from engine.embedding import (
    AlignedConfig,
    AlignedEmbeddings,
    Embedding,
    EmbeddingConfig,
    aligned_embeddings,
    embed,
    exact_neighbours,
    neighbour_overlap,
    neighbours_lost,
    procrustes,
    trustworthiness,
)
from engine.embedding.fuzzy_graph import common_neighbours, fuzzy_graph
from engine.foundation.errors import Cancelled, ConfigError
from engine.training import TrainConfig, Trained, fit

QUICK = EmbeddingConfig(epochs=30, n_neighbors=8)


@pytest.fixture(scope="module")
def runs(tiny):
    made = []
    for seed in (0, 1):
        config = TrainConfig(epochs=5, seed=seed, device="cpu")
        done = fit(tiny, config)
        made.append(Trained(done.model, tiny, done.features, config, label=f"plain {seed}"))
    return made


@pytest.fixture(scope="module")
def mapped(runs):
    return embed(runs[0], QUICK)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_neighbours_equal_brute_force(metric, offset):
    rows = torch.randn(300, 16, generator=torch.Generator().manual_seed(0)) + offset
    ids, distances = exact_neighbours(rows, 9, metric)
    oracle = NearestNeighbors(n_neighbors=9, metric=metric, algorithm="brute")
    true_distances, true_ids = oracle.fit(rows.double().numpy()).kneighbors()
    own = np.arange(300)
    assert (ids[:, 0] == own).all()
    assert (distances[:, 0] == 0).all()
    if offset == 0 or metric == "euclidean":  # far off, cosines differ by less than float32 holds
        assert (ids[:, 1:] == true_ids[:, :8]).all()
        np.testing.assert_allclose(distances[:, 1:], true_distances[:, :8], rtol=1e-4, atol=1e-6)


def test_blocks_change_nothing(monkeypatch):
    import engine.embedding.neighbours as module

    rows = torch.randn(200, 5, generator=torch.Generator().manual_seed(1))
    whole = exact_neighbours(rows, 6)
    monkeypatch.setattr(module, "BLOCK_CELLS", 7 * 200)
    np.testing.assert_array_equal(whole[0], exact_neighbours(rows, 6)[0])


def test_copies_have_themselves_first_and_zero_rows_are_allowed():
    rows = torch.ones(12, 4)
    rows[6:] = 0
    for metric in ("euclidean", "cosine"):
        ids, distances = exact_neighbours(rows, 4, metric)
        assert (ids[:, 0] == np.arange(12)).all()
        assert (distances[:, :4] == 0).all()


def test_too_few_points_are_an_error():
    with pytest.raises(ConfigError, match="only 5 points"):
        exact_neighbours(torch.randn(5, 2), 6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_trustworthiness_equals_scikit_learns(metric):
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(150, 8, generator=generator)
    flat = rows[:, :2].numpy()
    expected = sklearn_trustworthiness(rows.numpy(), flat, n_neighbors=10, metric=metric)
    assert trustworthiness(rows, flat, 10, metric) == pytest.approx(expected, abs=1e-9)
    assert trustworthiness(rows[:, :2], flat, 10) == pytest.approx(1.0)
    assert np.isnan(trustworthiness(rows[:12], flat[:12], 8))


def test_a_seed_gives_one_map(runs, mapped):
    again = embed(runs[0], QUICK)
    np.testing.assert_array_equal(mapped.coordinates, again.coordinates)
    other = embed(runs[0], QUICK.changed({"seed": 1}))
    assert not np.array_equal(mapped.coordinates, other.coordinates)


def test_a_map_is_complete_and_survives_saving(mapped, tmp_path, tiny):
    assert mapped.coordinates.shape == (tiny.n_items, 2)
    assert np.isfinite(mapped.coordinates).all()
    assert 0.5 < mapped.trustworthiness <= 1
    mapped.save(tmp_path / "map.npz")
    again = Embedding.load(tmp_path / "map.npz")
    assert again.to_frame().equals(mapped.to_frame())
    assert "Trustworthiness" in again.caption


@pytest.mark.parametrize("what", ["user_factors", "features", "projected_features"])
@pytest.mark.parametrize("modality", ["both", "text"])
def test_everything_can_be_embedded(runs, what, modality, tiny):
    config = QUICK.changed({"what": what, "modality": modality, "metric": "euclidean"})
    found = embed(runs[0], config)
    assert found.points == ("user" if what == "user_factors" else "item")
    assert len(found.ids) == (tiny.n_users if what == "user_factors" else tiny.n_items)


def test_models_without_features_say_what_can_be_embedded(tiny):
    config = TrainConfig.parse({"model": {"name": "bpr-mf"}, "epochs": 1})
    done = fit(tiny, config)
    bare = Trained(done.model, tiny, done.features, config, label="mf")
    with pytest.raises(ConfigError, match="choose item_factors"):
        embed(bare, QUICK.changed({"what": "features"}))


def test_progress_is_told_and_cancel_stops_the_layout(runs):
    told = []

    def stop(share, message):
        told.append(share)
        if "epoch" in message:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        embed(runs[0], QUICK, stop)
    assert told == sorted(told)


def test_weights_stay_bit_identical(runs):
    before = runs[0].model.theta()
    embed(runs[0], QUICK)
    assert all(torch.equal(before[n], p) for n, p in runs[0].model.named_parameters())


def test_procrustes_undoes_a_rigid_motion_and_keeps_distances():
    points = np.random.default_rng(0).normal(size=(30, 2))
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]) @ np.diag([1, -1])
    np.testing.assert_allclose(procrustes(points, points @ turn + 5), points, atol=1e-9)
    other = np.random.default_rng(1).normal(size=(30, 2))
    turned = procrustes(points, other)
    distances = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (turned, other)]
    np.testing.assert_allclose(*distances, atol=1e-9)


def test_overlap_is_the_share_of_common_neighbours():
    first = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]])
    second = np.array([[0, 1, 3], [1, 0, 2], [2, 0, 3], [3, 0, 2]])
    np.testing.assert_allclose(neighbour_overlap([first, second]), [[1, 5 / 8], [5 / 8, 1]])


def test_neighbours_lost_are_counted_point_by_point():
    first = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]])
    second = np.array([[0, 1, 3], [1, 0, 2], [2, 0, 3], [3, 2, 0]])
    np.testing.assert_array_equal(
        neighbours_lost([first, second]), [[0, 0, 0, 0], [0.5, 0, 0.5, 0.5]]
    )


@pytest.mark.parametrize("alignment", ["procrustes", "joint"])
def test_the_floor_is_how_far_the_same_run_moves_when_laid_out_again(runs, alignment):
    config = AlignedConfig(epochs=30, n_neighbors=8, alignment=alignment)
    found = aligned_embeddings([runs[0], runs[0]], config)
    assert found.lost.max() == 0
    assert found.moved_again.mean() == pytest.approx(found.moved[1].mean(), rel=0.5)
    np.testing.assert_allclose(found.lost[1].mean(), 1 - found.overlap[0, 1])
    rows = found.tables()["runs"]
    assert (rows["floor"] > 0).all()
    assert f"by {found.moved_again.mean():.2f} where" in found.caption
    other = aligned_embeddings(runs, config)
    np.testing.assert_allclose(other.lost.mean(axis=1), 1 - other.overlap[0])


def test_aligned_maps_of_one_run_are_one_map(runs, mapped, tmp_path):
    config = AlignedConfig(epochs=30, n_neighbors=8)
    found = aligned_embeddings([runs[0], runs[1]], config)
    np.testing.assert_array_equal(found.coordinates[0], mapped.coordinates)
    assert found.moved[0].max() == 0
    assert 0 < found.overlap[0, 1] < 1
    found.save(tmp_path / "maps.npz")
    again = AlignedEmbeddings.load(tmp_path / "maps.npz")
    assert again.to_frame().equals(found.to_frame())
    assert "plain 1" in again.caption
    with pytest.raises(ConfigError, match="two or more"):
        aligned_embeddings(runs[:1], config)


def test_joint_layout_pulls_runs_together_and_repeats(runs):
    config = AlignedConfig(epochs=30, n_neighbors=8, alignment="joint", pull=0.05)
    joint = aligned_embeddings(runs, config)
    np.testing.assert_array_equal(joint.coordinates, aligned_embeddings(runs, config).coordinates)
    loose = aligned_embeddings(runs, config.changed({"pull": 0.0}))
    assert joint.moved[1].mean() < loose.moved[1].mean()


@pytest.mark.parametrize("copies", [1, 3])
def test_the_graph_equals_umaps_own(copies):
    from engine.embedding.layout import umap_module

    umap = umap_module("umap_")
    rows = torch.randn(90, 5, generator=torch.Generator().manual_seed(4)).repeat(copies, 1)
    ids, distances = exact_neighbours(rows, 7)
    # umap's functions as plain Python: compiling them takes many times longer than running them.
    scales, nearest = umap.smooth_knn_dist.py_func(distances, 7.0)
    with np.errstate(divide="ignore"):
        edges = umap.compute_membership_strengths.py_func(
            ids.astype(np.int32), distances, scales, nearest
        )
    directed = sparse.coo_matrix((edges[2], (edges[0], edges[1])), shape=(len(rows),) * 2).tocsr()
    oracle = directed + directed.T - directed.multiply(directed.T)
    found = fuzzy_graph(ids, distances)
    np.testing.assert_allclose(found.toarray(), oracle.toarray(), atol=1e-4)


def test_common_neighbours_are_counted_point_by_point():
    first = fuzzy_graph(np.array([[0, 1], [1, 0], [2, 0]]), np.array([[0.0, 1], [0, 1], [0, 2]]))
    second = fuzzy_graph(np.array([[0, 2], [1, 0], [2, 0]]), np.array([[0.0, 1], [0, 1], [0, 2]]))
    np.testing.assert_allclose(common_neighbours(first, second), [1.0, 1.0, 1.0])
    third = fuzzy_graph(np.array([[0, 2], [1, 2], [2, 0]]), np.array([[0.0, 1], [0, 1], [0, 2]]))
    np.testing.assert_allclose(common_neighbours(first, third), [0.5, 0.0, 0.5])
