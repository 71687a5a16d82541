"""Layers that several models are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.models.recommender import xavier_uniform


class Dense(nn.Module):
    """``W x + b`` of rows x, Xavier-uniform weights and a bias of zeros."""

    def __init__(
        self, inner: int, outer: int, generator: torch.Generator, has_bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(xavier_uniform(outer, inner, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outer)) if has_bias else None

    def forward(self, rows: Tensor) -> Tensor:
        """From rows [N, inner], in any number format, to [N, outer] in the weights' own."""
        product = (rows @ self.weight.to(rows.dtype).T).to(self.weight.dtype)
        return product if self.bias is None else product + self.bias


class Gate(nn.Module):
    """``sigmoid(W x + b)`` [N, width] of rows x [N, width]."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.dense = Dense(width, width, generator)

    def forward(self, rows: Tensor) -> Tensor:
        gate: Tensor = self.dense(rows).sigmoid()
        return gate


class Query(nn.Module):
    """``Q tanh(W x + b)`` [N, outer] of rows x [N, width]: what an attention asks for."""

    def __init__(self, width: int, outer: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = Dense(width, width, generator)
        self.outer = Dense(width, outer, generator, has_bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        query: Tensor = self.outer(self.inner(rows).tanh())
        return query
