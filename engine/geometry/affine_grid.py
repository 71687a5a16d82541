"""A whole grid of losses by one matrix product, exact where factors are affine in the weights.

On the plane ``theta + a d1 + b d2`` both factors are ``U + a U1 + b U2`` and ``V + a V1 + b V2``, so
each triple's margin is a quadratic in (a, b): six coefficients, times six monomials a grid point
(science.md, section 6).

``mean softplus(-m) = mean log(1 + e^-m)`` needs a logarithm only once in a while: the product of
several factors ``1 + e^-m`` stays a finite float as long as their number is chosen by the largest
possible ``|m|``, and the logarithm of a product is the sum.

Legend: T triples, G grid points, C coefficients, U users, I items, D factor width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.foundation.progress import Progress, silent
from engine.geometry.ranking_loss import BLOCK
from engine.objectives import Triples

FactorStep = tuple[Tensor, Tensor]
"""User factors [U, D] and item factors [I, D] at the origin, or how they move along a direction."""

ROWS = 32
"""Triples whose margins are held at a time on a CPU; with 2,601 points they fit a core's cache."""
COLUMNS = 4096
SMALLEST_LOSS = 6e-3
"""Below it ``1 + e^-m`` in float32 could cost more than 1e-5 of the mean; softplus is used there."""


def margin_coefficients(steps: Sequence[FactorStep], triples: Triples) -> Tensor:
    """Coefficients [T, C] of each triple's margin in the monomials of ``monomials``.

    ``steps`` is the origin, then one step for each direction: C is 3 for a line, 6 for a plane.
    """
    pairs = _pairs(len(steps))
    users = [u for u, _ in steps]
    items = [v for _, v in steps]
    table_TC = users[0].new_empty(len(triples), len(pairs))
    with torch.no_grad():
        for start in range(0, len(triples), BLOCK):
            part = triples.part(start, start + BLOCK)
            chosen = [u.index_select(0, part.users) for u in users]
            gaps = [
                v.index_select(0, part.positives).sub_(v.index_select(0, part.negatives))
                for v in items
            ]
            rows = table_TC[start : start + BLOCK]
            for column, (p, q) in enumerate(pairs):
                value = torch.linalg.vecdot(chosen[p], gaps[q])
                if p != q:
                    value += torch.linalg.vecdot(chosen[q], gaps[p])
                rows[:, column] = value
    return table_TC


def monomials(steps_GK: Tensor) -> Tensor:
    """Monomials [C, G] of points [G, K]: 1, a, a^2 on a line; 1, a, b, a^2, ab, b^2 on a plane."""
    ones = torch.ones_like(steps_GK[:, :1])
    basis = torch.cat([ones, steps_GK], dim=1)
    return torch.stack([basis[:, p] * basis[:, q] for p, q in _pairs(basis.shape[1])])


def _pairs(n: int) -> list[tuple[int, int]]:
    linear = [(0, q) for q in range(n)]
    return linear + [(p, q) for p in range(1, n) for q in range(p, n)]


def grid_losses(
    coefficients_TC: Tensor, points_GK: Tensor, progress: Progress = silent
) -> Tensor:
    """Mean ``softplus(-margin)`` over the triples at each point: float64 [G], on the CPU.

    Within 1e-5 of the point-by-point value, relative, in float32.
    """
    powers_CG = monomials(points_GK.to(torch.float64)).to(coefficients_TC)
    sums_G = torch.empty(len(points_GK), dtype=torch.float64)
    starts = range(0, len(points_GK), COLUMNS)
    ordered_TC = coefficients_TC
    for index, start in enumerate(starts):
        columns = slice(start, start + COLUMNS)
        block = powers_CG[:, columns]
        reach_T = coefficients_TC.abs() @ block.abs().amax(dim=1)
        if index == 0:
            ordered_TC = coefficients_TC[torch.argsort(reach_T)]
        sums_G[columns] = _softplus_sums(
            ordered_TC, block.contiguous(), lambda share, i=index: progress(
                (i + share) / len(starts), f"{len(points_GK)} points at once"
            )
        )
    losses_G = sums_G / len(coefficients_TC)
    small = torch.nonzero(losses_G < SMALLEST_LOSS).flatten()
    if len(small):
        losses_G[small] = _stable_sums(ordered_TC, powers_CG[:, small.to(powers_CG.device)]) / len(
            coefficients_TC
        )
    return losses_G


def _softplus_sums(coefficients_TC: Tensor, powers_CG: Tensor, tell) -> Tensor:  # type: ignore[no-untyped-def]
    """Sum over triples of ``log(1 + 2^x)`` with ``x = -m log2(e)``, in natural units [G]."""
    on_cpu = coefficients_TC.device.type == "cpu"
    rows = ROWS if on_cpu else 16384
    exponents_CG = -powers_CG / math.log(2.0)
    limit = 0.94 * math.log2(torch.finfo(powers_CG.dtype).max)
    count = exponents_CG.shape[1]
    buffer = coefficients_TC.new_empty(rows, count)
    sums_G = torch.zeros(count, dtype=torch.float64, device=coefficients_TC.device)
    reach_T = (coefficients_TC.abs() @ exponents_CG.abs().amax(dim=1)).tolist()
    for start in range(0, len(coefficients_TC), rows):
        if start % (64 * rows) == 0:
            tell(start / len(coefficients_TC))
        block_RC = coefficients_TC[start : start + rows]
        height = len(block_RC)
        margins = torch.mm(block_RC, exponents_CG, out=buffer[:height])
        # A factor 1 + 2^x is below 2^(reach + 1); this many of them cannot overflow together.
        n_factors = int(limit / (max(reach_T[start : start + height]) + 1.0))
        if n_factors < 1:
            margins = nn.functional.softplus(margins * math.log(2.0))
            sums_G += margins.sum(0, dtype=torch.float64)
            continue
        margins.exp2_().add_(1.0)
        while height > 1 and n_factors > 1:
            half = height // 2
            torch.mul(margins[:half], margins[half : 2 * half], out=margins[:half])
            if height % 2:
                margins[half] = margins[height - 1]
            height = half + height % 2
            n_factors //= 2
            margins = margins[:height]
        sums_G += margins.log_().sum(0)
    return sums_G.cpu()


def _stable_sums(coefficients_TC: Tensor, powers_CG: Tensor) -> Tensor:
    """The same sums [G] by softplus itself."""
    sums_G = torch.zeros(powers_CG.shape[1], dtype=torch.float64, device=powers_CG.device)
    rows = max(1, 2**18 // max(powers_CG.shape[1], 1))
    for start in range(0, len(coefficients_TC), rows):
        margins = coefficients_TC[start : start + rows] @ powers_CG
        sums_G += nn.functional.softplus(-margins).sum(0, dtype=torch.float64)
    return sums_G.cpu()
