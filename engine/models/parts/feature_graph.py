"""The item graph of a model: of whatever features it is given, or frozen to the dataset's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.item_graph import EdgeValues, ItemGraph, Pool, smoothed_with_gradient
from engine.models.terms import without_gradient

GraphOrigin = Literal["rebuilt", "frozen"]
"""Whether neighbours are sought in the features at hand, or once in the dataset's own."""


@dataclass(frozen=True)
class KnownGraph:
    """An item graph and the features it was made of, held so that their memory is not reused."""

    features: Features
    versions: tuple[int, ...]
    graph: ItemGraph

    def is_of(self, features: Features, dtype: torch.dtype) -> bool:
        """Whether it was made of just these features, in this format."""
        return self.graph.matrix.dtype == dtype and all(
            known.data_ptr() == features[m].data_ptr()
            and known.shape == features[m].shape
            and known.stride() == features[m].stride()
            and known.dtype == features[m].dtype
            and known.device == features[m].device
            and version == features[m]._version
            for (m, known), version in zip(self.features.items(), self.versions, strict=True)
        )


class FeatureGraph:
    """``S^n`` of the nearest items, with S the modalities' graphs weighted by their shares.

    Finding neighbours costs I^2 F operations. The graphs of the two features seen last are kept, so
    fixed features pay once, but adversarial training finds them anew at each step.
    """

    def __init__(
        self,
        dataset: Dataset,
        shares: Mapping[str, float],
        n_neighbours: int,
        origin: GraphOrigin,
        values: EdgeValues = "binary",
        pool: Pool = "sum",
    ) -> None:
        self.shares = dict(shares)
        self.n_neighbours = n_neighbours
        self.origin = origin
        self.values: EdgeValues = values
        self.pool: Pool = pool
        self._dataset = dataset
        self._known: tuple[KnownGraph, ...] = ()
        self._frozen: ItemGraph | None = None

    def smoothed(self, features: Features, items_ID: Tensor, n_layers: int) -> Tensor:
        """``S^n E`` [I, D]."""
        if self.origin == "frozen":
            smooth = self.frozen(items_ID).smoothed(items_ID, n_layers)
            return without_gradient(smooth, {m: features[m] for m in self.shares})
        if torch.is_grad_enabled() and any(features[m].requires_grad for m in self.shares):
            return self.with_gradient(features, items_ID, n_layers)
        return self.of(features, items_ID).smoothed(items_ID, n_layers)

    def frozen(self, like: Tensor) -> ItemGraph:
        """The graph of the dataset's own features; no scaling moves it, as cosines know none."""
        matrix = self._frozen.matrix if self._frozen is not None else None
        if matrix is None or matrix.device != like.device or matrix.dtype != like.dtype:
            own = {
                m: torch.from_numpy(np.array(self._dataset.features[m])).to(like)
                for m in self.shares
            }
            self._frozen = self.graph(own, like.dtype)
        assert self._frozen is not None
        return self._frozen

    def of(self, features: Features, like: Tensor) -> ItemGraph:
        """The graph of the given features, in the number format of ``like``."""
        for known in self._known:
            if known.is_of(features, like.dtype):
                self._known = (known, *(other for other in self._known if other is not known))
                return known.graph
        used = {m: features[m].detach() for m in self.shares}
        graph = self.graph(used, like.dtype)
        versions = tuple(x._version for x in used.values())
        self._known = (KnownGraph(used, versions, graph), *self._known[:1])
        return graph

    def graph(self, features: Features, dtype: torch.dtype) -> ItemGraph:
        """The graph of the given features, found anew."""
        return ItemGraph.of(features, self.n_neighbours, self.shares, dtype, self.values, self.pool)

    def with_gradient(self, features: Features, items_ID: Tensor, n_layers: int) -> Tensor:
        """``S^n E`` [I, D] with a gradient by the features."""
        return smoothed_with_gradient(
            features,
            self.n_neighbours,
            self.shares,
            items_ID,
            n_layers,
            self.values,
            self.pool,
        )
