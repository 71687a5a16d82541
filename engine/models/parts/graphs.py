"""Graphs that models walk: the interactions between users and items, and products with them.

Legend: U users, I items, N = U + I nodes (users come first), D width.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from engine.data import Dataset
from engine.foundation.seeding import numpy_generator


class Propagate(torch.autograd.Function):
    """``A @ E`` for a fixed sparse A: its gradient is ``A^T @ grad``, to any order.

    Takes A, A^T (the same tensor where A is symmetric) and the dense E [columns, D].
    """

    @staticmethod
    def forward(matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        return matrix @ dense

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.matrix, ctx.transposed = inputs[0], inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, Propagate.apply(ctx.transposed, ctx.matrix, grads[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        tangent = tangents[2]
        assert tangent is not None
        return ctx.matrix @ tangent


def layer_mean(
    adjacency: Tensor,
    users: Tensor,
    items: Tensor,
    n_layers: int,
    transposed: Tensor | None = None,
) -> Tensor:
    """Mean of the embeddings after 0 to ``n_layers`` steps over the graph [N, D].

    LightGCN's propagation (arXiv 2002.02126); ``adjacency`` is symmetric unless its transpose is
    given.
    """
    layer = torch.cat([users, items])
    total = layer
    for _ in range(n_layers):
        layer = Propagate.apply(adjacency, adjacency if transposed is None else transposed, layer)
        total = total + layer
    return total / (n_layers + 1)


def users_from_items(adjacency: Tensor, items_ID: Tensor, n_users: int) -> Tensor:
    """The items' embeddings, with ``R V`` of the normalised interactions for users [N, D]."""
    silent = torch.cat([items_ID.new_zeros(n_users, items_ID.shape[1]), items_ID])
    users = Propagate.apply(adjacency, adjacency, silent)[:n_users]
    return torch.cat([users, items_ID])


def bipartite(ratings_UI: sparse.spmatrix) -> sparse.csr_matrix:
    """The graph [N, N] of a users x items matrix, both ways."""
    return sparse.bmat([[None, ratings_UI], [ratings_UI.T, None]], format="csr")


def symmetrically_normalised(graph: sparse.spmatrix) -> sparse.csr_matrix:
    """``D^-1/2 A D^-1/2``; a node without edges keeps an empty row."""
    weights = sparse.diags(_power_of_degrees(graph, -0.5))
    return sparse.csr_matrix(weights @ graph @ weights)


def averaging(graph: sparse.spmatrix) -> sparse.csr_matrix:
    """``D^-1 A``: the mean over a node's neighbours."""
    return sparse.csr_matrix(sparse.diags(_power_of_degrees(graph, -1.0)) @ graph)


def normalised_adjacency(dataset: Dataset) -> sparse.csr_matrix:
    """``D^-1/2 A D^-1/2`` of the bipartite training graph, [N, N]."""
    return symmetrically_normalised(bipartite(dataset.matrix("train")))


def pruned_adjacency(dataset: Dataset, share: float, seed: int, epoch: int) -> sparse.csr_matrix:
    """The normalised training graph [N, N] without a drawn ``share`` of its edges.

    Edge (u, i) is kept with odds ``1 / sqrt(d_u d_i)``, drawn without replacement, and what is kept
    is normalised by its own degrees (arXiv 2211.06924).
    """
    ratings = dataset.matrix("train").tocoo()
    odds = _power_of_degrees(ratings, -0.5)[ratings.row]
    odds = odds * _power_of_degrees(ratings.T, -0.5)[ratings.col]
    n_kept = max(1, int(ratings.nnz * (1.0 - share)))
    # The smallest of exponential waiting times with these rates are a draw without replacement.
    waits = numpy_generator(seed, "pruned edges", epoch).exponential(size=ratings.nnz) / odds
    kept = np.argpartition(waits, n_kept - 1)[:n_kept]
    rows, columns = ratings.row[kept], ratings.col[kept]
    graph = sparse.csr_matrix((np.ones(n_kept), (rows, columns)), shape=ratings.shape)
    return symmetrically_normalised(bipartite(graph))


def most_common_neighbours(ratings_UI: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Counts [U, U] of the items that two users share, without the diagonal.

    Each row keeps its k largest, on ties the lower ids.
    """
    n_rows, rows, columns, counts = ratings_UI.shape[0], [], [], []
    for start in range(0, n_rows, 1024):
        shared = sparse.coo_matrix(ratings_UI[start : start + 1024] @ ratings_UI.T)
        row, column, count = shared.row + start, shared.col, shared.data
        others = (row != column) & (count > 0)
        row, column, count = row[others], column[others], count[others]
        order = np.lexsort((column, -count, row))
        row, column, count = row[order], column[order], count[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        rows.append(row[place < k])
        columns.append(column[place < k])
        counts.append(count[place < k])
    entries = np.concatenate(counts), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=(n_rows, n_rows))


def softmax_of_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row's stored entries to their softmax; an empty row stays empty."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    largest = np.full(matrix.shape[0], -np.inf)
    np.maximum.at(largest, rows, matrix.data)
    odds = np.exp(matrix.data - largest[rows])
    totals = np.bincount(rows, odds, minlength=matrix.shape[0])
    return sparse.csr_matrix((odds / totals[rows], matrix.indices, matrix.indptr), matrix.shape)


def _power_of_degrees(graph: sparse.spmatrix, power: float) -> np.ndarray:
    degrees = np.asarray(graph.sum(axis=1), dtype=float).ravel()
    found = np.zeros_like(degrees)
    np.power(degrees, power, out=found, where=degrees > 0)
    return found


def sparse_tensor(matrix: sparse.csr_matrix) -> Tensor:
    """A SciPy CSR matrix as a float32 CSR tensor of the same shape."""
    with warnings.catch_warnings():
        # torch says once per process that CSR is in beta; the product with a dense matrix is all
        # that is used of it.
        warnings.simplefilter("ignore")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
        )


def compressed(matrix: Tensor) -> Tensor:
    """A COO tensor, entries of equal place added up, as a CSR tensor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says once that CSR is in beta
        return matrix.coalesce().to_sparse_csr()
