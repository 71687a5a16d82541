"""Contrastive losses between two views of the same users or items."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def info_nce(
    view_BD: Tensor, other_BD: Tensor, temperature: float, against_ND: Tensor | None = None
) -> Tensor:
    """Mean over rows of ``-log(exp(cos(a_b, b_b) / t) / sum_n exp(cos(a_b, b_n) / t))``.

    The sum runs over the rows of ``other``, or those of ``against`` [N, D] (arXiv 1807.03748).
    """
    view, other = normalize(view_BD), normalize(other_BD)
    against = other if against_ND is None else normalize(against_ND)
    matches = (view * other).sum(dim=1) / temperature
    return (torch.logsumexp(view @ against.T / temperature, dim=1) - matches).mean()


def dropped_out(rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Rows [., D] with a drawn share of entries at zero, the others scaled up to make up for it."""
    if share == 0:
        return rows
    stays = torch.rand(rows.shape, generator=generator).to(rows.device) >= share
    return rows * stays.to(rows) / (1.0 - share)
