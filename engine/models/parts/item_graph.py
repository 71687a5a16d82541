"""The item-item graph of nearest features, and how attacks see it.

Each item points to the k items whose features have the largest cosine with its own, itself among
them. An edge's value is 1 (``binary``, arXiv 2211.06924) or the cosine (``cosine``, Zhang et al.,
arXiv 2104.09036; a negative one counts as 0), and it weighs ``value / sqrt(d_i d_j)`` with d the
sum of the values that leave an item. An item whose features are all zero points to itself alone.

Cosine edges have a true gradient by the features, as long as the neighbours stay the same. Of
binary edges it is zero almost everywhere and says nothing about how to break the graph, so features
that ask for a gradient get a straight-through one instead: exact edges forward, and backward as if
each edge's weight moved with its cosine. To let it see what might come in, as many edges of weight
0, to the next nearest items, take part. It finds what it seeks, a higher loss on the triples it is
taken on; that is not yet a lower recall on others, so compare with noise of equal length. Input
sharpness is of this gradient too, and not comparable with that of models whose gradient is the true
one.

Legend: I items, F feature width, k edges of an item, E edges of an item over all modalities, D
width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from engine.data.features import Features
from engine.models.parts.graphs import Propagate, compressed

BLOCK_ENTRIES = 1 << 24
"""Cosines held at a time while neighbours are sought (64 MiB in float32)."""


EdgeValues = Literal["binary", "cosine"]
"""What an edge counts before it is normalised."""


Pool = Literal["sum", "max"]
"""What becomes of an edge that several modalities have: weights times shares, added up; or the
largest weight."""


@dataclass(frozen=True)
class ItemGraph:
    """A sparse item graph [I, I] and its transpose."""

    matrix: Tensor
    transposed: Tensor

    @staticmethod
    def of(
        features: Features,
        k: int,
        shares: Mapping[str, float],
        dtype: torch.dtype,
        values: EdgeValues = "binary",
        pool: Pool = "sum",
    ) -> ItemGraph:
        """The modalities' graphs, each times its share, added up; entries of ``dtype``."""
        with torch.no_grad():
            parts = [
                (*weighted_edges(unit_rows(features[m]), k, values), share)
                for m, share in shares.items()
            ]
            if pool == "max":
                near_IE = torch.cat([near for near, _, _ in parts], dim=1)
                weights_IE = torch.cat([share * weights for _, weights, share in parts], dim=1)
                total = _matrix(near_IE, largest_of_equal(near_IE, weights_IE), 1.0).to(dtype)
            else:
                matrices = [_matrix(*part) for part in parts]
                total = sum(matrices[1:], start=matrices[0]).to(dtype)
            return ItemGraph(compressed(total), compressed(total.t()))

    @staticmethod
    def of_edges(near_Ik: Tensor, weights_Ik: Tensor, dtype: torch.dtype) -> ItemGraph:
        """The graph of each item's edges and their weights, entries of ``dtype``."""
        matrix = _matrix(near_Ik, weights_Ik, 1.0).to(dtype)
        return ItemGraph(compressed(matrix), compressed(matrix.t()))

    def smoothed(self, items_ID: Tensor, n_layers: int) -> Tensor:
        """``S^n E`` [I, D]."""
        for _ in range(n_layers):
            items_ID = Propagate.apply(self.matrix, self.transposed, items_ID)
        return items_ID


def shares_beside(special: str, share: float, modalities: tuple[str, ...]) -> dict[str, float]:
    """Weights that sum to 1: ``share`` of the special modality, the others share the rest evenly.

    Where it is the only one it has all; where it is not read the others have all.
    """
    others = [m for m in modalities if m != special]
    if not others or special not in modalities:
        return dict.fromkeys(modalities, 1.0 / len(modalities))
    return {m: share if m == special else (1.0 - share) / len(others) for m in modalities}


def smoothed_with_gradient(
    features: Features,
    k: int,
    shares: Mapping[str, float],
    items_ID: Tensor,
    n_layers: int,
    values: EdgeValues = "binary",
    pool: Pool = "sum",
) -> Tensor:
    """``S^n E`` [I, D], the same values, with the gradient by the features said above."""
    neighbours, weights = [], []
    for m, share in shares.items():
        unit_IF = unit_rows(features[m])
        if values == "cosine":
            near_Ik, through_Ik = weighted_edges(unit_IF, k, values)
        else:
            with torch.no_grad():
                near_Ik, exact_Ik = edges(unit_IF, k, with_candidates=True)
            through_Ik = EdgesFollowCosine.apply(unit_IF, near_Ik, exact_Ik, k)
        neighbours.append(near_Ik)
        weights.append(share * through_Ik.to(items_ID.dtype))
    near_IE, weights_IE = torch.cat(neighbours, dim=1), torch.cat(weights, dim=1)
    if pool == "max":
        weights_IE = largest_of_equal(near_IE, weights_IE)
    for _ in range(n_layers):
        items_ID = over_edges(near_IE, weights_IE, items_ID)
    return items_ID


def largest_of_equal(near_IE: Tensor, weights_IE: Tensor) -> Tensor:
    """The weights [I, E], 0 for edges to an item that a heavier, or earlier, edge leads to too."""
    is_same = near_IE[:, :, None] == near_IE[:, None, :]
    is_heavier = weights_IE[:, None, :] > weights_IE[:, :, None]
    is_equal = weights_IE[:, None, :] == weights_IE[:, :, None]
    is_earlier = torch.ones_like(is_same[0]).tril(-1)
    is_beaten = (is_same & (is_heavier | (is_equal & is_earlier))).any(dim=2)
    return weights_IE.masked_fill(is_beaten, 0.0)


def over_edges(near_IE: Tensor, weights_IE: Tensor, items_ID: Tensor) -> Tensor:
    """``sum_e w_ie E[near_ie]`` [I, D], differentiable by weights and rows to any order."""
    gathered = torch.nn.functional.embedding(near_IE, items_ID)
    return torch.einsum("ie,ied->id", weights_IE, gathered)


def weighted_edges(unit_IF: Tensor, k: int, values: EdgeValues) -> tuple[Tensor, Tensor]:
    """Each item's k nearest items, itself first, and the edges' weights: [I, k] each."""
    if values == "binary":
        return edges(unit_IF, k)
    with torch.no_grad():
        near_Ik, _ = edges(unit_IF, k)
    return near_Ik, normalised_cosines(near_Ik, EdgeCosines.apply(unit_IF, near_Ik))


def normalised_cosines(near_Ik: Tensor, cosines_Ik: Tensor) -> Tensor:
    """``cos / sqrt(d_i d_j)`` [I, k] with d an item's sum; itself comes first among the edges."""
    itself = torch.ones_like(cosines_Ik[:, :1])
    values_Ik = torch.cat([itself, cosines_Ik[:, 1:].clamp_min(0)], dim=1)
    degrees_I = values_Ik.sum(dim=1)
    return values_Ik * (degrees_I[:, None] * degrees_I[near_Ik]).rsqrt()


def unit_rows(x_IF: Tensor) -> Tensor:
    """Rows of length 1 in at least float32; zero rows stay zero."""
    x_IF = x_IF.float() if x_IF.dtype in (torch.bfloat16, torch.float16) else x_IF
    norms = torch.linalg.vector_norm(x_IF, dim=1, keepdim=True)
    return x_IF / torch.where(norms > 0, norms, 1.0)


def edges(unit_IF: Tensor, k: int, with_candidates: bool = False) -> tuple[Tensor, Tensor]:
    """Each item's k nearest items, itself first, and the edges' weights: [I, k] each.

    With candidates, [I, 2k]: the next k follow with weight 0. Fewer where there are fewer items.
    """
    n_items = len(unit_IF)
    k = min(k, n_items)
    wanted = min(2 * k, n_items) if with_candidates else k
    near_Ik = torch.empty(n_items, wanted, dtype=torch.int64, device=unit_IF.device)
    step = max(1, BLOCK_ENTRIES // n_items)
    for start in range(0, n_items, step):
        cosines = unit_IF[start : start + step] @ unit_IF.T
        rows = torch.arange(len(cosines), device=cosines.device)
        cosines[rows, rows + start] = 2.0  # itself first, also where others are as near
        near_Ik[start : start + step] = torch.topk(cosines, wanted, dim=1).indices
    has_features_I = unit_IF.any(dim=1)
    degrees_I = torch.where(has_features_I, float(k), 1.0).to(unit_IF.dtype)
    weights_Ik = (degrees_I[:, None] * degrees_I[near_Ik]).rsqrt()
    weights_Ik[~has_features_I, 1:] = 0.0
    weights_Ik[:, k:] = 0.0
    return near_Ik, weights_Ik


def _matrix(near_Ik: Tensor, weights_Ik: Tensor, share: float) -> Tensor:
    n_items, k = near_Ik.shape
    rows = torch.arange(n_items, device=near_Ik.device).repeat_interleave(k)
    return torch.sparse_coo_tensor(
        torch.stack([rows, near_Ik.flatten()]),
        share * weights_Ik.flatten(),
        (n_items, n_items),
        check_invariants=False,
    )


class EdgeCosines(torch.autograd.Function):
    """``<u_i, u_j>`` [I, E] of each edge, without gathering rows as wide as the features."""

    @staticmethod
    def forward(ctx: Any, unit_IF: Tensor, near_IE: Tensor) -> Tensor:
        ctx.save_for_backward(unit_IF, near_IE)
        columns = [(unit_IF * unit_IF[near_IE[:, e]]).sum(dim=1) for e in range(near_IE.shape[1])]
        return torch.stack(columns, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        unit_IF, near_IE = ctx.saved_tensors
        pull = _matrix(near_IE, gradients[0], 1.0)
        return pull @ unit_IF + pull.t() @ unit_IF, None


class EdgesFollowCosine(torch.autograd.Function):
    """Given weights [I, E] forward; backward, each moves with the cosine of its edge over k."""

    @staticmethod
    def forward(ctx: Any, unit_IF: Tensor, near_IE: Tensor, weights_IE: Tensor, k: int) -> Tensor:
        ctx.save_for_backward(unit_IF, near_IE)
        ctx.k = k
        return weights_IE.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        unit_IF, near_IE = ctx.saved_tensors
        pull = _matrix(near_IE, gradients[0] / ctx.k, 1.0)
        return pull @ unit_IF + pull.t() @ unit_IF, None, None, None
