"""Lanczos, trace and density against spectra known in advance."""

import numpy as np
import pytest
import torch

from engine.geometry.curvature.hessian import lanczos
from engine.geometry.curvature.hessian.lanczos import extreme_eigenpairs, lanczos_steps
from engine.geometry.curvature.hessian.spectral_density import hutch_plus_plus, spectral_density
from engine.geometry.long_vectors import inner_products, length


def operator(values, seed=0):
    """A symmetric matrix [P, P] with the given eigenvalues, in float64."""
    draws = torch.Generator().manual_seed(seed)
    size = len(values)
    q = torch.linalg.qr(torch.randn(size, size, generator=draws, dtype=torch.float64)).Q
    return q @ torch.diag(torch.as_tensor(values, dtype=torch.float64)) @ q.T


def start(size, seed=1):
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=draws, dtype=torch.float64)


DECAYING = np.concatenate([2.0 ** -np.arange(60), -(3.0 ** -np.arange(1, 41))])


def test_both_ends_of_a_known_spectrum_with_vectors_and_residuals():
    matrix = operator(DECAYING)
    found = extreme_eigenpairs(lambda v: matrix @ v, start(100), 5, 2, tolerance=1e-8)
    assert found.has_converged
    np.testing.assert_allclose(found.values_K[:5], 2.0 ** -np.arange(5), rtol=1e-7)
    np.testing.assert_allclose(found.values_K[5:], [-1 / 3, -1 / 9], rtol=1e-2)
    gaps = found.vectors_KP @ matrix - torch.from_numpy(found.values_K)[:, None] * found.vectors_KP
    true = gaps.norm(dim=1).numpy()
    assert (true <= found.residuals_K + 1e-12).all()


CLOSE = np.array([15.823, 13.618, 13.256, 13.121, 12.573, 12.048, 10.331, 10.054, 9.907, 9.84])
"""The largest eigenvalues of a run of plain training on the sample, in thousandths."""


def test_no_start_skips_one_of_several_close_eigenvalues_and_calls_it_converged():
    bulk = 9.5 * np.random.default_rng(0).beta(0.3, 6, 590)
    values = torch.from_numpy(np.concatenate([CLOSE, bulk]))

    def wrong(n_spare):
        count = 0
        for seed in range(50):
            first = start(600, seed)
            found = extreme_eigenpairs(lambda v: values * v, first, 5, n_spare=n_spare)
            assert found.has_converged
            count += bool(np.abs(found.values_K / CLOSE[:5] - 1).max() > 1e-3)
        return count

    assert wrong(n_spare=0) >= 4
    assert wrong(n_spare=2) == 0


def test_the_last_value_counts_as_unconverged_until_its_spares_have_settled():
    values = torch.from_numpy(np.concatenate([[100.0, 50.0], np.linspace(0, 1, 198)]))
    found = extreme_eigenpairs(lambda v: values * v, start(200), 2, max_products=8)
    assert (found.errors_K < 1e-3).all()
    assert found.converged_K.tolist() == [True, False]


def test_the_stated_tolerance_is_kept_at_few_products():
    matrix = operator(1.0 / np.arange(1, 301))
    found = extreme_eigenpairs(lambda v: matrix @ v, start(300), 5, tolerance=1e-3)
    np.testing.assert_allclose(found.values_K, 1.0 / np.arange(1, 6), rtol=1e-3)
    assert found.n_products <= 35


@pytest.mark.parametrize("room", [0, 2 << 30])
def test_the_basis_stays_orthogonal_in_float32(monkeypatch, room):
    monkeypatch.setattr(lanczos, "BASIS_BYTES", room)
    matrix = operator(np.concatenate([DECAYING, np.linspace(-0.3, 0.9, 400)])).float()
    found = extreme_eigenpairs(lambda v: matrix @ v, start(500).float(), 2, 1, tolerance=1e-5)
    basis_MP = found.krylov.basis_MP
    eye = torch.eye(len(basis_MP))
    torch.testing.assert_close(basis_MP @ basis_MP.T, eye, rtol=0, atol=2e-6)
    projected_MM = basis_MP.double() @ matrix.double() @ basis_MP.T.double()
    np.testing.assert_allclose(found.krylov.projected_MM, projected_MM.numpy(), atol=1e-5)


def test_millions_of_float32_entries_lose_no_digits():
    draws = torch.Generator().manual_seed(0)
    vectors = torch.randn(2, 4_000_001, generator=draws)
    exact = vectors.double() @ vectors.double().T
    found = inner_products(vectors, vectors)
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-6 * float(exact[0, 0]))
    assert length(vectors[0]) == pytest.approx(float(exact[0, 0].sqrt()), rel=1e-7)
    assert length(vectors[0, :5]) == pytest.approx(float(vectors[0, :5].double().norm()))
    values = torch.zeros(4_000_001)
    values[::2], values[::3] = 1.0, 3.0
    pairs = extreme_eigenpairs(lambda v: values * v, vectors[1], 1, max_products=4)
    assert pairs.top == pytest.approx(3.0, rel=1e-6)
    assert length(pairs.vectors_KP[0]) == pytest.approx(1.0, abs=1e-5)


def test_it_goes_on_where_a_krylov_space_ends():
    matrix = operator([2.0] * 10)
    found = extreme_eigenpairs(lambda v: matrix @ v, start(10), 4, tolerance=1e-8)
    np.testing.assert_allclose(found.values_K, [2.0] * 4)
    gram = found.vectors_KP @ found.vectors_KP.T
    torch.testing.assert_close(gram, torch.eye(4, dtype=torch.float64))


def test_a_small_memory_restarts_and_finds_the_same(monkeypatch):
    monkeypatch.setattr(lanczos, "BASIS_BYTES", 0)
    matrix = operator(np.concatenate([DECAYING, np.linspace(-0.3, 0.9, 400)]))
    found = extreme_eigenpairs(lambda v: matrix @ v, start(500), 2, 1, tolerance=1e-6)
    assert found.n_products > len(found.krylov.basis_MP)
    np.testing.assert_allclose(found.values_K, [1.0, 0.9, -1 / 3], rtol=1e-3)
    gaps = found.vectors_KP @ matrix - torch.from_numpy(found.values_K)[:, None] * found.vectors_KP
    assert (gaps.norm(dim=1).numpy() <= found.residuals_K + 1e-12).all()


def test_more_eigenvalues_than_there_are_gives_all():
    matrix = operator([3.0, 2.0, -1.0])
    found = extreme_eigenpairs(lambda v: matrix @ v, start(3), 5)
    np.testing.assert_allclose(found.values_K, [3.0, 2.0, -1.0])
    ends = extreme_eigenpairs(lambda v: matrix @ v, start(3), 5, 1)
    np.testing.assert_allclose(ends.values_K, [3.0, 2.0, -1.0, -1.0])
    assert ends.n_top == 3


def test_too_few_products_are_admitted():
    matrix = operator(np.linspace(0, 1, 200))
    found = extreme_eigenpairs(lambda v: matrix @ v, start(200), 5, max_products=6)
    assert not found.has_converged
    assert not found.converged_K.any()
    assert found.n_products == 6


def test_each_pair_says_for_itself_whether_it_has_converged():
    matrix = operator(np.concatenate([[100.0, 50.0], np.linspace(0, 1, 198)]))
    found = extreme_eigenpairs(lambda v: matrix @ v, start(200), 4, max_products=8)
    assert found.converged_K.tolist() == [True, True, False, False]


@pytest.mark.parametrize("with_krylov", [False, True])
def test_the_trace_is_the_sum_of_eigenvalues(with_krylov):
    matrix = operator(DECAYING)
    krylov = lanczos_steps(lambda v: matrix @ v, start(100), 20) if with_krylov else None
    draws = torch.Generator().manual_seed(3)
    found = hutch_plus_plus(lambda v: matrix @ v, 100, 30, draws, matrix[0], krylov)
    assert found.n_products == 30
    assert abs(found.value - DECAYING.sum()) <= 4 * found.standard_error + 1e-9
    assert found.standard_error < 0.02 * abs(DECAYING.sum())


def test_the_trace_error_is_honest_over_many_seeds():
    values = 1.0 / np.arange(1, 101) ** 0.5
    matrix = operator(values)
    scores = []
    for seed in range(60):
        draws = torch.Generator().manual_seed(seed)
        found = hutch_plus_plus(lambda v: matrix @ v, 100, 24, draws, matrix[0])
        scores.append((found.value - values.sum()) / found.standard_error)
    assert 0.6 < np.std(scores) < 1.7
    assert abs(np.mean(scores)) < 0.6


def test_a_sketch_of_everything_gives_the_trace_itself():
    matrix = operator([3.0, 2.0, -1.0])
    krylov = lanczos_steps(lambda v: matrix @ v, start(3), 3)
    draws = torch.Generator().manual_seed(0)
    found = hutch_plus_plus(lambda v: matrix @ v, 3, 5, draws, matrix[0], krylov)
    assert found.value == pytest.approx(4.0)
    assert found.standard_error == 0


def test_the_density_integrates_to_one_with_the_mean_of_the_spectrum():
    values = np.concatenate([np.zeros(150), np.linspace(1, 2, 40), [5.0] * 10])
    matrix = operator(values)
    draws = torch.Generator().manual_seed(0)
    found = spectral_density(lambda v: matrix @ v, 200, draws, matrix[0], n_probes=20, n_steps=30)
    assert np.trapezoid(found.density_G, found.grid_G) == pytest.approx(1.0, abs=1e-6)
    mean = np.trapezoid(found.density_G * found.grid_G, found.grid_G)
    assert mean == pytest.approx(found.mean, rel=1e-6)
    assert found.mean == pytest.approx(values.mean(), rel=0.1)
    near_zero = found.weights_N[np.abs(found.nodes_N) < 0.5].sum()
    assert near_zero == pytest.approx(0.75, abs=0.05)
