"""A whole grid of losses by one matrix product, exact where factors are affine in the weights.

On the plane ``theta + a d1 + b d2`` the factors are ``U + a U1 + b U2`` and ``V + a V1 + b V2``, so
each triple's margin is a quadratic in (a, b): six coefficients, times six monomials a grid point
(docs/method.md, section 7).

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

from engine.foundation.progress import Progress, part, silent
from engine.geometry.ranking_loss import BLOCK
from engine.geometry.side_by_side import side_by_side
from engine.objectives import Triples

FactorStep = tuple[Tensor, Tensor]
"""User factors [U, D] and item factors [I, D] at the origin, or how they move along a direction."""

ENTRIES = 2**18
"""Margins held at a time on a CPU: a megabyte, which stays in a core's cache."""
SPAN = 4096
"""Triples a core takes at a time."""
COLUMNS = 4096
"""Grid points at a time."""
SMALLEST_LOSS = 6e-3
"""Below it ``1 + e^-m`` in float32 could cost 1e-5 of the mean; softplus itself is used there."""


def margin_coefficients(steps: Sequence[FactorStep], triples: Triples) -> Tensor:
    """Coefficients [T, C] of each triple's margin in the monomials of ``monomials``.

    ``steps`` is the origin, then one step for each direction: C is 3 for a line, 6 for a plane.
    """
    pairs = _pairs(len(steps))
    users = [u for u, _ in steps]
    items = [v for _, v in steps]
    table_TC = users[0].new_empty(len(triples), len(pairs))

    def fill(span: slice) -> None:
        part = triples.part(span.start, span.stop)
        chosen = [u.index_select(0, part.users) for u in users]
        gaps = [
            v.index_select(0, part.positives).sub_(v.index_select(0, part.negatives)) for v in items
        ]
        for column, (p, q) in enumerate(pairs):
            value_T = torch.linalg.vecdot(chosen[p], gaps[q])
            if p != q:
                value_T += torch.linalg.vecdot(chosen[q], gaps[p])
            table_TC[span, column] = value_T

    for _ in side_by_side(fill, len(triples), BLOCK, table_TC.device):
        pass
    return table_TC


def monomials(steps_GK: Tensor) -> Tensor:
    """Monomials [C, G] of points [G, K]: 1, a, a^2 on a line; 1, a, b, a^2, ab, b^2 on a plane."""
    ones = steps_GK.new_ones(len(steps_GK), 1)
    basis = torch.cat([ones, steps_GK], dim=1)
    return torch.stack([basis[:, p] * basis[:, q] for p, q in _pairs(basis.shape[1])])


def _pairs(n: int) -> list[tuple[int, int]]:
    linear = [(0, q) for q in range(n)]
    return linear + [(p, q) for p in range(1, n) for q in range(p, n)]


def grid_losses(coefficients_TC: Tensor, points_GK: Tensor, progress: Progress = silent) -> Tensor:
    """Mean ``softplus(-margin)`` over the triples at each point: float64 [G], on the CPU.

    Within 1e-5 of the point-by-point value, relative, in float32.
    """
    # Monomials are made in float64 on the CPU; not every device has it.
    powers_CG = monomials(points_GK.double().cpu()).to(coefficients_TC)
    reach_T = coefficients_TC.abs() @ powers_CG.abs().amax(dim=1)
    # Triples of similar reach together, so that few blocks are held back by one wide triple.
    reach_T, order = torch.sort(reach_T)
    coefficients_TC = coefficients_TC[order]
    reaches = reach_T.tolist()
    starts = range(0, len(points_GK), COLUMNS)
    sums_G = torch.cat(
        [
            _softplus_sums(
                coefficients_TC,
                reaches,
                powers_CG[:, start : start + COLUMNS],
                part(progress, i / len(starts), (i + 1) / len(starts)),
            )
            for i, start in enumerate(starts)
        ]
    )
    losses_G = sums_G / len(coefficients_TC)
    small = torch.nonzero(losses_G < SMALLEST_LOSS).flatten()
    if len(small):
        columns_CG = powers_CG[:, small.to(powers_CG.device)]
        losses_G[small] = _stable_sums(coefficients_TC, columns_CG) / len(coefficients_TC)
    return losses_G


def _softplus_sums(
    coefficients_TC: Tensor, reaches: list[float], powers_CG: Tensor, progress: Progress
) -> Tensor:
    """Sum over triples of ``softplus(-coefficients @ powers)`` [G].

    ``reaches`` bounds each triple's ``|margin|`` and ascends.
    """
    device = coefficients_TC.device
    rows = SPAN
    if device.type == "cpu":
        rows = min(max(ENTRIES // powers_CG.shape[1], 32), SPAN)
    # In powers of two: log(1 + e^-m) = log(1 + 2^x) with x = -m / log 2.
    exponents_CG = (powers_CG / -math.log(2.0)).contiguous()

    def sums(chunk: slice) -> Tensor:
        total_G = torch.zeros(exponents_CG.shape[1], dtype=torch.float64, device=device)
        buffer_RG = coefficients_TC.new_empty(rows, exponents_CG.shape[1])
        for start in range(chunk.start, chunk.stop, rows):
            stop = min(start + rows, chunk.stop)
            block_RC = coefficients_TC[start:stop]
            exponents_RG = torch.mm(block_RC, exponents_CG, out=buffer_RG[: stop - start])
            total_G += _log_products(exponents_RG, reaches[stop - 1] / math.log(2.0))
        return total_G

    sums_G = torch.zeros(exponents_CG.shape[1], dtype=torch.float64, device=device)
    n = len(coefficients_TC)
    for done, chunk_G in enumerate(side_by_side(sums, n, SPAN, device)):
        progress(min(done * SPAN / n, 1.0), f"{len(sums_G):,} points at once")
        sums_G += chunk_G
    return sums_G.cpu()


def _log_products(exponents_RG: Tensor, reach: float) -> Tensor:
    """Sum over rows of ``log(1 + 2^x)`` [G] for ``|x| <= reach``; overwrites ``exponents_RG``."""
    # A factor is at most 2^(reach + 1): this many of them cannot overflow together.
    n_factors = int(0.94 * math.log2(torch.finfo(exponents_RG.dtype).max) / (reach + 1.0))
    if n_factors < 1:
        return nn.functional.softplus(exponents_RG * math.log(2.0)).sum(0, dtype=torch.float64)
    factors_RG = exponents_RG.exp2_().add_(1.0)
    while n_factors > 1 and len(factors_RG) > 1:
        half = len(factors_RG) // 2
        torch.mul(factors_RG[:half], factors_RG[half : 2 * half], out=factors_RG[:half])
        if len(factors_RG) % 2:
            factors_RG[half] = factors_RG[-1]
        factors_RG = factors_RG[: half + len(factors_RG) % 2]
        n_factors //= 2
    return factors_RG.log_().sum(0)


def _stable_sums(coefficients_TC: Tensor, powers_CG: Tensor) -> Tensor:
    """The same sums [G] by softplus itself."""
    rows = max(1, 2**18 // powers_CG.shape[1])

    def sums(span: slice) -> Tensor:
        margins_TG = coefficients_TC[span] @ powers_CG
        return nn.functional.softplus(-margins_TG).sum(0, dtype=torch.float64)

    total_G = torch.zeros(powers_CG.shape[1], dtype=torch.float64, device=powers_CG.device)
    for chunk_G in side_by_side(sums, len(coefficients_TC), rows, coefficients_TC.device):
        total_G += chunk_G
    return total_G.cpu()
