"""Inner products and lengths of vectors with millions of entries, to more digits than float32 keeps
when it adds them up one after another.

Legend: M and N vectors, P parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 16_384
"""Entries added up in the vectors' own precision; the sums of blocks are added in float64."""


def inner_products(first_MP: Tensor, second_NP: Tensor) -> Tensor:
    """All inner products of two sets of vectors: float64 [M, N].

    float32 alone is off by 2e-3 at three million entries, and more beyond.
    """
    total_MN = first_MP.new_zeros(len(first_MP), len(second_NP), dtype=torch.float64)
    blocks = zip(first_MP.split(BLOCK, dim=1), second_NP.split(BLOCK, dim=1), strict=True)
    for first_MB, second_NB in blocks:
        total_MN += first_MB @ second_NB.T
    return total_MN


def length(vector_P: Tensor) -> float:
    """L2 norm; float32 alone is off by 6e-4 at fifteen million entries."""
    n_whole = len(vector_P) // BLOCK * BLOCK
    parts = [
        torch.linalg.vector_norm(vector_P[:n_whole].view(-1, BLOCK), dim=1),
        torch.linalg.vector_norm(vector_P[n_whole:])[None],
    ]
    return float(torch.linalg.vector_norm(torch.cat(parts).double()))
