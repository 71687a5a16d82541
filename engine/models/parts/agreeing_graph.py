"""Graphs of items that are alike in every modality, for telling noise from likeness.

Item i points to the k nearest of those items whose cosine with it is at least the average of all
pairs in each modality (DA-MRS, Xv et al., KDD 2024, section 4.1), itself always among them; there
may be fewer than k. Edges weigh ``1 / sqrt(d_i d_j)`` with d the number of edges that leave an
item. Features that ask for a gradient get the straight-through one of ``item_graph``.

Legend: I items, F feature width, k edges of an item, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.item_graph import (
    BLOCK_ENTRIES,
    EdgesFollowCosine,
    ItemGraph,
    over_edges,
    unit_rows,
)


class AgreeingGraph(FeatureGraph):
    """One modality's graph; which edges it may have, all modalities decide."""

    def __init__(
        self,
        dataset: Dataset,
        modality: str,
        modalities: tuple[str, ...],
        n_neighbours: int,
        origin: GraphOrigin,
    ) -> None:
        super().__init__(dataset, dict.fromkeys(modalities, 1.0), n_neighbours, origin)
        self.modality = modality

    def graph(self, features: Features, dtype: torch.dtype) -> ItemGraph:
        with torch.no_grad():
            edges = agreeing_edges(features, self.modality, self.n_neighbours)
            return ItemGraph.of_edges(*edges, dtype)

    def with_gradient(self, features: Features, items_ID: Tensor, n_layers: int) -> Tensor:
        used = {m: features[m] for m in self.shares}
        near_Ik, exact_Ik = agreeing_edges(used, self.modality, self.n_neighbours)
        unit_IF = unit_rows(features[self.modality])
        weights_Ik = EdgesFollowCosine.apply(unit_IF, near_Ik, exact_Ik, self.n_neighbours)
        for _ in range(n_layers):
            items_ID = over_edges(near_Ik, weights_Ik.to(items_ID.dtype), items_ID)
        return items_ID


@torch.no_grad()
def agreeing_edges(features: Features, modality: str, k: int) -> tuple[Tensor, Tensor]:
    """The nearest items [I, k] of one modality, itself first, and weights; 0 where no edge is."""
    unit = {m: unit_rows(x.detach()) for m, x in features.items()}
    own_IF = unit[modality]
    n_items, k = len(own_IF), min(k, len(own_IF))
    averages = {m: u.sum(dim=0).square().sum() / n_items**2 for m, u in unit.items()}
    near_Ik = torch.empty(n_items, k, dtype=torch.int64, device=own_IF.device)
    is_edge_Ik = torch.empty(n_items, k, dtype=torch.bool, device=own_IF.device)
    step = max(1, BLOCK_ENTRIES // n_items)
    for start in range(0, n_items, step):
        part = slice(start, start + step)
        cosines = own_IF[part] @ own_IF.T
        for m, u in unit.items():
            likeness = cosines if m == modality else u[part] @ u.T
            cosines = cosines.masked_fill(likeness < averages[m], -torch.inf)
        rows = torch.arange(len(cosines), device=cosines.device)
        cosines[rows, rows + start] = 2.0  # itself first
        best = torch.topk(cosines, k, dim=1)
        near_Ik[part], is_edge_Ik[part] = best.indices, best.values > -torch.inf
    degrees_I = is_edge_Ik.sum(dim=1).to(own_IF.dtype)
    return near_Ik, is_edge_Ik * (degrees_I[:, None] * degrees_I[near_Ik]).rsqrt()
