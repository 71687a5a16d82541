"""UMAP's fuzzy neighbour graph (arXiv 1802.03426, section 3.1), from exact neighbours.

The same numbers as ``umap.umap_.fuzzy_simplicial_set``, but as array operations: umap's own takes
seconds to compile in every new process. Shapes: n points, k neighbours, the point itself first.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

SEARCH_STEPS = 64
TOLERANCE = 1e-5
LEAST_SCALE = 1e-3
"""Smallest sigma, as a share of the mean distance; all three as in umap."""


def fuzzy_graph(ids_nk: np.ndarray, distances_nk: np.ndarray) -> sparse.coo_matrix:
    """Symmetric edge weights in (0, 1] as a float32 COO matrix [n, n].

    Each point's nearest neighbour at a distance above 0 has weight 1; weights fall off at a scale
    for which they sum to log2(k). Both directions are joined by ``a + b - a b``.
    """
    n, k = ids_nk.shape
    distances = distances_nk.astype(np.float64)
    nearest_n = np.where(distances > 0, distances, np.inf).min(axis=1)
    nearest_n = np.where(np.isfinite(nearest_n), nearest_n, 0.0)
    beyond_nk = np.maximum(distances - nearest_n[:, None], 0.0)
    scale_n = _scales(beyond_nk[:, 1:], np.log2(k))
    means_n = np.where(nearest_n > 0, distances.mean(axis=1), distances.mean())
    scale_n = np.maximum(scale_n, LEAST_SCALE * means_n)
    safe_n = np.where(scale_n > 0, scale_n, 1.0)
    weights_nk = np.where(beyond_nk > 0, np.exp(-beyond_nk / safe_n[:, None]), 1.0)
    own = np.arange(n)[:, None]
    weights_nk[ids_nk == own] = 0.0
    rows = np.broadcast_to(own, ids_nk.shape).ravel()
    directed = sparse.csr_matrix(
        (weights_nk.ravel().astype(np.float32), (rows, ids_nk.ravel())), shape=(n, n)
    )
    back = directed.T.tocsr()
    joined = (directed + back - directed.multiply(back)).tocoo()
    joined.eliminate_zeros()
    return joined


def _scales(beyond_nj: np.ndarray, target: float) -> np.ndarray:
    """The sigma of each row for which ``sum_j exp(-beyond_j / sigma)`` is the target [n]."""
    n = len(beyond_nj)
    low, high, middle = np.zeros(n), np.full(n, np.inf), np.ones(n)
    is_open = np.ones(n, dtype=bool)
    for _ in range(SEARCH_STEPS):
        total = np.exp(-beyond_nj / middle[:, None]).sum(axis=1)
        is_open &= np.abs(total - target) >= TOLERANCE
        if not is_open.any():
            break
        too_much = is_open & (total > target)
        too_little = is_open & ~too_much
        high[too_much] = middle[too_much]
        low[too_little] = middle[too_little]
        next_middle = np.where(np.isinf(high), middle * 2, (low + high) / 2)
        middle = np.where(is_open, next_middle, middle)
    return middle


def common_neighbours(first: sparse.coo_matrix, second: sparse.coo_matrix) -> np.ndarray:
    """Jaccard overlap of each point's neighbours in two graphs, float32 [n]; 1 where both are
    empty."""
    a, b = (graph.tocsr().astype(bool).astype(np.float32) for graph in (first, second))
    shared = np.asarray(a.multiply(b).sum(axis=1)).ravel()
    union = np.asarray(a.sum(axis=1)).ravel() + np.asarray(b.sum(axis=1)).ravel() - shared
    return np.where(union > 0, shared / np.maximum(union, 1), 1.0).astype(np.float32)
