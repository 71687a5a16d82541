"""LightGCN: embeddings smoothed over the interaction graph (He et al., arXiv 2002.02126)."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models.recommender import Block, ModelConfig, Recommender, xavier_uniform


class LightGCNConfig(ModelConfig):
    """Graph propagation of free embeddings, no features."""

    name: Literal["lightgcn"] = "lightgcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings (columns)."""
    n_layers: int = Field(default=2, ge=1, le=8)
    """Propagation steps; the layers' embeddings are averaged (section 3.1 of the paper)."""


class Propagate(torch.autograd.Function):
    """``A @ E`` for a fixed symmetric sparse A: its gradient is ``A @ grad``, to any order."""

    @staticmethod
    def forward(adjacency: Tensor, dense: Tensor) -> Tensor:
        return adjacency @ dense

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.adjacency = inputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        return None, Propagate.apply(ctx.adjacency, grads[0])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        tangent = tangents[1]
        assert tangent is not None
        return ctx.adjacency @ tangent


def normalised_adjacency(dataset: Dataset) -> sparse.csr_matrix:
    """``D^-1/2 A D^-1/2`` of the bipartite training graph, [U + I, U + I]; users come first."""
    ratings = dataset.matrix("train")
    graph = sparse.bmat([[None, ratings], [ratings.T, None]], format="csr")
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = np.zeros_like(degrees)
    np.divide(1.0, np.sqrt(degrees), out=scale, where=degrees > 0)
    weights = sparse.diags(scale)
    return sparse.csr_matrix(weights @ graph @ weights)


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


class LightGCN(Recommender):
    """Free embeddings averaged over propagation layers; affine in them."""

    affine: ClassVar[bool] = True

    def __init__(
        self, config: LightGCNConfig, dataset: Dataset, generator: torch.Generator
    ) -> None:
        super().__init__(config, dataset)
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.n_layers = config.n_layers
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        layer = torch.cat([self.users, self.items])
        total = layer
        for _ in range(self.n_layers):
            layer = Propagate.apply(self.adjacency, layer)
            total = total + layer
        mean = total / (self.n_layers + 1)
        return mean[: self.n_users], mean[self.n_users :]

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[0]
        return factors if users is None else factors[users]

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[1]
        return factors if items is None else factors[items]

    def batch_factors(
        self, features: Features, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        user_factors, item_factors = self.forward(features)
        return user_factors[users], item_factors[items]

    def embeddings(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return (
            nn.functional.embedding(users, self.users),
            nn.functional.embedding(items, self.items),
        )

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.embeddings(users, items)

    def block(self, parameter: str) -> Block:
        return "users" if parameter == "users" else "items"
