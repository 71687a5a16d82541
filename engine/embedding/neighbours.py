"""Exact nearest neighbours, and how many of them a map keeps.

Shapes: n rows, W width, k neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.foundation.errors import ConfigError
from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import numpy_generator

BLOCK_CELLS = 16_000_000
"""Most distances held at a time."""
SPARE = 8
"""Candidates beyond k that are measured again exactly."""
TRUST_ROWS = 3000
"""Most rows over which trustworthiness is averaged."""


def comparable(rows_nW: Tensor, metric: str) -> Tensor:
    """Rows whose Euclidean distance orders neighbours as ``metric`` does, in float32.

    Euclidean rows are centred, which changes no distance and keeps digits; cosine rows are scaled
    to length 1 (zero rows stay zero).
    """
    rows = rows_nW.detach().to(torch.float64)
    if metric == "cosine":
        norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        rows = rows / torch.where(norms > 0, norms, 1.0)
    else:
        rows = rows - rows.mean(dim=0)
    return rows.to(torch.float32)


def exact_neighbours(
    rows_nW: Tensor, k: int, metric: str = "euclidean", progress: Progress = silent
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of each row, itself first: ids int64 [n, k], distances float32 [n, k].

    Candidates come from one matrix product in blocks; the best k and some spare ones are measured
    again by differences in float64, so rounding in the product cannot order near neighbours
    wrongly. Ties go to the smaller id. Cosine distance is 1 - cosine.

    Raises ConfigError where k > n.
    """
    n = len(rows_nW)
    if k > n:
        raise ConfigError(f"n_neighbors is {k}, but there are only {n} points; choose at most {n}.")
    rows = comparable(rows_nW, metric)
    squares_n = rows.square().sum(dim=1)
    size = max(1, BLOCK_CELLS // n)
    ids, distances = [], []
    for start in range(0, n, size):
        progress(start / n, "neighbours")
        block = rows[start : start + size]
        near = squares_n[None, :] - 2 * block @ rows.T
        own = torch.arange(start, start + len(block), device=rows.device)
        near[torch.arange(len(block), device=rows.device), own] = -torch.inf
        candidates = torch.topk(near, min(k + SPARE, n), dim=1, largest=False).indices
        candidates = candidates.sort(dim=1).values  # equal distances then stay in order of id
        measured = _distances(block, rows, candidates)
        measured[candidates == own[:, None]] = -1.0
        order = torch.sort(measured, dim=1, stable=True).indices[:, :k]
        ids.append(candidates.gather(1, order))
        distances.append(measured.gather(1, order).clamp_min(0))
    measured_nk = torch.cat(distances)
    if metric == "cosine":
        measured_nk = measured_nk.square() / 2
    return torch.cat(ids).cpu().numpy(), measured_nk.to(torch.float32).cpu().numpy()


def _distances(block_BW: Tensor, rows_nW: Tensor, ids_BC: Tensor) -> Tensor:
    """Euclidean distances float64 [B, C] from each block row to its candidates."""
    parts = []
    size = max(1, 4_000_000 // max(ids_BC.shape[1] * rows_nW.shape[1], 1))
    for start in range(0, len(block_BW), size):
        ids = ids_BC[start : start + size]
        others = rows_nW[ids.flatten()].view(*ids.shape, -1)
        apart = others.double() - block_BW[start : start + size, None, :].double()
        parts.append(apart.square().sum(dim=2).sqrt())
    return torch.cat(parts)


def trustworthiness(
    rows_nW: Tensor, map_n2: np.ndarray, k: int, metric: str = "euclidean", seed: int = 0
) -> float:
    """How far neighbours in the map are neighbours in truth, 0 to 1 (Venna and Kaski, 2001).

    ``1 - 2 / (n k (2n - 3k - 1)) * sum_i sum_j max(0, r(i, j) - k)`` over the k map neighbours j of
    i, with r the rank of j among i's true neighbours. Above 3,000 points it is averaged over 3,000
    of them, drawn by ``seed``. NaN where 2n <= 3k + 1, or k >= n / 2, for which it is not defined.
    """
    n = len(rows_nW)
    if k >= n / 2 or 2 * n <= 3 * k + 1:
        return float("nan")
    rows = comparable(rows_nW, metric)
    mapped = torch.from_numpy(np.ascontiguousarray(map_n2)).to(rows.device, torch.float64)
    chosen = np.arange(n)
    if n > TRUST_ROWS:
        chosen = np.sort(
            numpy_generator(seed, "trustworthiness").choice(n, TRUST_ROWS, replace=False)
        )
    total = 0.0
    squares_n = rows.square().sum(dim=1)
    size = max(1, BLOCK_CELLS // (4 * n))
    for start in range(0, len(chosen), size):
        own = torch.from_numpy(chosen[start : start + size]).to(rows.device)
        at = torch.arange(len(own), device=rows.device)
        apart = torch.cdist(mapped[own], mapped, compute_mode="donot_use_mm_for_euclid_dist")
        apart[at, own] = torch.inf
        neighbours = torch.topk(apart, k, dim=1, largest=False).indices
        true = squares_n[None, :] - 2 * rows[own] @ rows.T
        true[at, own] = -torch.inf
        ranks = torch.empty_like(neighbours)
        order = true.argsort(dim=1, stable=True)
        places = torch.empty_like(order)
        places.scatter_(1, order, torch.arange(n, device=rows.device).expand_as(order))
        ranks = places.gather(1, neighbours)
        total += float((ranks - k).clamp_min(0).sum())
    return 1.0 - total * 2.0 / (len(chosen) * k * (2.0 * n - 3.0 * k - 1.0))
