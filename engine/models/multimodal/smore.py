"""SMORE: modalities filtered and fused by frequency (Ong and Khong, arXiv 2412.14978)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.foundation.seeding import torch_generator
from engine.models.parts.contrastive import dropped_out, info_nce
from engine.models.parts.feature_graph import FeatureGraph, GraphOrigin
from engine.models.parts.graph_recommender import (
    MultimodalGraphRecommender,
    TrainableFeaturesConfig,
)
from engine.models.parts.graphs import (
    layer_mean,
    normalised_adjacency,
    sparse_tensor,
    users_from_items,
)
from engine.models.parts.layers import Dense, Gate, Query
from engine.models.recommender import Block, ModelOutput, xavier_uniform
from engine.models.terms import TermInputs

FUSED = "fused"
"""The name of the view that all modalities make together."""


class SMOREConfig(TrainableFeaturesConfig):
    """Item embeddings gated by filtered modalities and their product, walked over graphs."""

    name: Literal["smore"] = "smore"
    width: int = Field(default=64, ge=2, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=3, ge=0, le=8)
    """Propagation steps over the user-item graph (3 or 4 in the released grid)."""
    n_item_layers: int = Field(default=1, ge=1, le=8)
    """Propagation steps over the item graphs (1 in the released code)."""
    n_neighbours: int = Field(default=10, ge=1, le=1000)
    """Edges that leave an item in a modality's graph, the one to itself among them (10 to 40 in the
    released grid)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the preferences' entries left out in training (0 or 0.1 in the released grid)."""
    contrast_weight: float = Field(default=0.01, ge=0)
    """Factor of the contrastive loss (0.01 in the released code)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of the contrastive loss (0.2 in the released code)."""
    item_graph: GraphOrigin = "rebuilt"
    """Where the item graphs come from: the features at hand, or the dataset's own as in the
    released code. The filters always see those at hand."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> SMORE:
        return SMORE(self, dataset, generator)


class SMORE(MultimodalGraphRecommender):
    """Factors are behaviour b, LightGCN's mean, plus side information s of users and items.

    With F the real Fourier transform over the columns and ``p^m = A_m x^m + a_m``, each modality is
    filtered, ``F^-1(w_m F(p^m))``, and all are fused, ``F^-1(w prod_m F(p^m))``. Of each of these
    M + 1 signals c, items enter with ``q * sigmoid(G c + g)``, q their free embeddings, and walk an
    item graph: a modality's nearest items with cosine edges, or, for the fused one, the largest
    weight that any modality gives an edge. Users get ``R V`` with R the normalised interactions. Of
    the views z^m and z, each of users and items,

        s = (sum_m sigmoid(H_m b + h_m) softmax(Q_m z) z^m + sigmoid(H b + h) z) / (M + 1),

    where ``Q`` is ``W' tanh(W z + c)`` and products are element-wise. The contrastive loss draws s
    and b of a batch's users together, and of its positive items. The penalty acts on the factors.
    Not affine.
    """

    affine: ClassVar[bool] = False
    penalises_factors: ClassVar[bool] = True
    blocks: ClassVar[Mapping[str, Block]] = {
        **MultimodalGraphRecommender.blocks,
        "filter": "filters",
    }
    term_names = ("contrast",)
    adjacency: Tensor

    def __init__(self, config: SMOREConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        width = config.width
        self.users = nn.Parameter(xavier_uniform(self.n_users, width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, width, generator=generator))
        self.projection = nn.ModuleDict()
        self.query = nn.ModuleDict()
        self.gate = nn.ModuleDict()
        self.preference = nn.ModuleDict()
        self.filter = nn.ParameterDict()
        self.graphs: dict[str, FeatureGraph] = {}
        for m in self.modalities:
            self.projection[m] = Dense(dataset.features[m].shape[1], width, generator)
            self.query[m] = Query(width, width, generator)
            self.graphs[m] = FeatureGraph(
                dataset, {m: 1.0}, config.n_neighbours, config.item_graph, "cosine"
            )
        whole = dict.fromkeys(self.modalities, 1.0)
        self.graphs[FUSED] = FeatureGraph(
            dataset, whole, config.n_neighbours, config.item_graph, "cosine", pool="max"
        )
        for view in (*self.modalities, FUSED):
            self.gate[view] = Gate(width, generator)
            self.preference[view] = Gate(width, generator)
            drawn = torch.randn(width // 2 + 1, 2, generator=generator)
            self.filter[view] = nn.Parameter(drawn)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        self._draws: torch.Generator | None = None

    def start_epoch(self, seed: int, epoch: int) -> None:
        self._draws = torch_generator(seed, "preferences", epoch)

    def output(self, features: Features) -> ModelOutput:
        seen = self.seen(features)
        behaviour = layer_mean(self.adjacency, self.users, self.items, self.settings.n_layers)
        views = {name: self.view(name, signal, seen) for name, signal in self.signals(seen).items()}
        fused = views[FUSED]
        side = self.preferred(FUSED, behaviour) * fused
        for m in self.modalities:
            attention = self.query[m](fused).softmax(dim=1)
            side = side + self.preferred(m, behaviour) * attention * views[m]
        side = side / len(views)
        factors = behaviour + side
        extras = {"side": side, "behaviour": behaviour}
        return ModelOutput(factors[: self.n_users], factors[self.n_users :], extras)

    def signals(self, features: Features) -> dict[str, Tensor]:
        """The filtered modalities and their fusion [n_items, D]."""
        spectra = {
            m: torch.fft.rfft(self.projection[m](features[m]), dim=1, norm="ortho")
            for m in self.modalities
        }
        product: Tensor | None = None
        for spectrum in spectra.values():
            product = spectrum if product is None else product * spectrum
        assert product is not None
        return {
            name: torch.fft.irfft(
                spectrum * torch.view_as_complex(self.filter[name]),
                n=self.settings.width,
                dim=1,
                norm="ortho",
            )
            for name, spectrum in {**spectra, FUSED: product}.items()
        }

    def view(self, name: str, signal: Tensor, features: Features) -> Tensor:
        """One view's embeddings of all users and items [N, D]."""
        gated = self.items * self.gate[name](signal)
        items = self.graphs[name].smoothed(features, gated, self.settings.n_item_layers)
        return users_from_items(self.adjacency, items, self.n_users)

    def preferred(self, view: str, behaviour: Tensor) -> Tensor:
        """How much of a view users and items want [N, D]."""
        gate: Tensor = self.preference[view](behaviour)
        if self.training and self._draws is not None:
            return dropped_out(gate, self.settings.dropout, self._draws)
        return gate

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        positives = batch.items[batch.positive_rows] + self.n_users
        side, behaviour = batch.extras["side"], batch.extras["behaviour"]
        of_items, of_users = (
            info_nce(side[nodes], behaviour[nodes], self.settings.temperature)
            for nodes in (positives, batch.users)
        )
        return {"contrast": self.settings.contrast_weight * (of_items + of_users)}
