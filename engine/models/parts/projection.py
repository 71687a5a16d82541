"""Projecting chosen rows of a large feature matrix, gathered as cheaply as their format allows.

A batch touches a few thousand of the catalogue's rows. In fp32, gathering them into a fresh matrix
costs more memory traffic than the product itself, so a block of rows at a time is gathered into one
small buffer that stays in the cache, forward and again backward. In 16 bits a copy is half the size
and one product over all of it beats many small ones: rows are gathered once and kept for the
backward pass. Features get no gradient on either route.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK_BYTES = 2 << 20
"""Size of the gather buffer; measured best between 1 and 4 MiB on CPUs with 0.5 to 2 MiB of L2."""


class ProjectRows(torch.autograd.Function):
    """``x[rows] @ weight.T`` [N, P], with the gradient of ``weight`` [P, F] only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.weight_dtype = weight.dtype
        used = weight.to(x.dtype)
        ctx.gathers_once = x.device.type != "cpu" or x.element_size() <= 2
        if ctx.gathers_once:
            gathered = x.index_select(0, rows)
            ctx.save_for_backward(gathered)
            return (gathered @ used.T).to(weight.dtype)
        ctx.save_for_backward(x, rows)
        projected = torch.empty(len(rows), len(weight), dtype=x.dtype)
        for start, end, block in _blocks(x, rows):
            torch.mm(block, used.T, out=projected[start:end])
        return projected.to(weight.dtype)

    @staticmethod
    @once_differentiable  # the buffer is reused, so a second derivative says so instead of erring
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        if ctx.gathers_once:
            (gathered,) = ctx.saved_tensors
            gradient = gradients[0].to(gathered.dtype)
            return None, None, (gradient.T @ gathered).to(ctx.weight_dtype)
        x, rows = ctx.saved_tensors
        gradient = gradients[0].to(x.dtype)
        total = torch.zeros(gradient.shape[1], x.shape[1], dtype=x.dtype)
        for start, end, block in _blocks(x, rows):
            total.addmm_(gradient[start:end].T, block)
        return None, None, total.to(ctx.weight_dtype)


def _blocks(x: Tensor, rows: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """(start, end, rows gathered) for consecutive parts of ``rows``; the buffer is reused."""
    count = max(1, BLOCK_BYTES // (x.shape[1] * x.element_size()))
    buffer = torch.empty(min(count, len(rows)), x.shape[1], dtype=x.dtype)
    for start in range(0, len(rows), count):
        end = min(start + count, len(rows))
        part = buffer[: end - start]
        torch.index_select(x, 0, rows[start:end], out=part)
        yield start, end, part


def project_rows(x_IF: Tensor, rows: Tensor, weight_PF: Tensor) -> Tensor:
    """``x[rows] @ weight.T`` [N, P] in the weight's precision, whatever the features are kept in.

    Differentiable once in ``weight``; use a plain product for higher derivatives.
    """
    if x_IF.shape[1] * x_IF.element_size() * len(rows) <= BLOCK_BYTES:
        return (x_IF.index_select(0, rows) @ weight_PF.to(x_IF.dtype).T).to(weight_PF.dtype)
    projected: Tensor = ProjectRows.apply(x_IF, rows, weight_PF)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return projected
