"""LGMRec: local graphs of each modality and global hypergraphs (Guo et al., arXiv 2312.16400)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.foundation.seeding import torch_generator
from engine.models.parts.contrastive import dropped_out, info_nce
from engine.models.parts.graph_recommender import MultimodalGraphRecommender
from engine.models.parts.graphs import (
    Propagate,
    averaging,
    bipartite,
    compressed,
    layer_mean,
    normalised_adjacency,
    sparse_tensor,
)
from engine.models.parts.layers import Dense
from engine.models.recommender import Block, ModelOutput, MultimodalConfig, xavier_uniform
from engine.models.terms import TermInputs


class LGMRecConfig(MultimodalConfig):
    """Behaviour, each modality walked over the interactions, and hyperedges of alike items."""

    name: Literal["lgmrec"] = "lgmrec"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the embeddings and of projected features (columns)."""
    n_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps of the free embeddings (2 in the released code)."""
    n_modality_layers: int = Field(default=2, ge=0, le=8)
    """Propagation steps of each modality (2 in the released code)."""
    n_hyperedges: int = Field(default=4, ge=1, le=1024)
    """Hyperedges of each modality (4 to 64 in the released configurations)."""
    n_hyper_layers: int = Field(default=1, ge=1, le=8)
    """Steps over the hypergraph (1 or 2 in the released configurations)."""
    hyper_weight: float = Field(default=0.3, ge=0)
    """Weight alpha of the global part (0.2 to 0.6 in the released configurations)."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of hyperedge memberships left out in training (0.5 to 0.8 as released)."""
    temperature: float = Field(default=0.2, gt=0)
    """Temperature of memberships and of the contrastive loss (0.2 in the released code)."""
    contrast_weight: float = Field(default=1e-4, ge=0)
    """Factor of the contrastive loss, a sum over the batch (1e-4 in the released code)."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> LGMRec:
        return LGMRec(self, dataset, generator)


class LGMRec(MultimodalGraphRecommender):
    """``E = e + sum_m n(z^m) + alpha n(sum_m h^m)`` for users and items, n to length 1.

    - Behaviour: e is LightGCN's mean of free embeddings.
    - Local: items enter with ``W_m x^m``, users with the mean over their items, and z^m is what n
      steps over the interactions make of it.
    - Global: item i belongs to the hyperedges of modality m by ``softmax(H_m x_i^m / t)``, a user
      by the softmax of the sum over the user's items; ``h_items = A_i A_i' e_items`` and
      ``h_users = A_u A_i' e_items``.

    The contrastive loss finds a user's global part in another modality among those of all users,
    and likewise a positive item's, for every two modalities.

    In training, memberships get Gumbel noise before the softmax and dropout after it, drawn for
    every forward pass once an epoch has started. The released code draws the noise in evaluation
    too; here that is without. The penalty acts on the factors. Not affine.
    """

    affine: ClassVar[bool] = False
    penalises_factors: ClassVar[bool] = True
    blocks: ClassVar[Mapping[str, Block]] = {
        **MultimodalGraphRecommender.blocks,
        "hyperedge": "hyperedges",
    }
    adjacency: Tensor
    mean: Tensor
    transposed: Tensor
    degrees: Tensor

    def __init__(self, config: LGMRecConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.settings = config
        self.users = nn.Parameter(xavier_uniform(self.n_users, config.width, generator=generator))
        self.items = nn.Parameter(xavier_uniform(self.n_items, config.width, generator=generator))
        self.projection = nn.ModuleDict()
        self.hyperedge = nn.ModuleDict()
        for m in self.modalities:
            width = dataset.features[m].shape[1]
            self.projection[m] = Dense(width, config.width, generator, has_bias=False)
            self.hyperedge[m] = Dense(width, config.n_hyperedges, generator, has_bias=False)
        if len(self.modalities) > 1:
            self.term_names = ("contrast",)
        self.register_buffer(
            "adjacency", sparse_tensor(normalised_adjacency(dataset)), persistent=False
        )
        mean = sparse_tensor(averaging(bipartite(dataset.matrix("train"))))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("transposed", compressed(mean.to_sparse_coo().t()), persistent=False)
        degrees = torch.from_numpy(dataset.matrix("train").getnnz(axis=1)).float()
        self.register_buffer("degrees", degrees, persistent=False)
        self._draws: torch.Generator | None = None

    def start_epoch(self, seed: int, epoch: int) -> None:
        self._draws = torch_generator(seed, "hyperedges", epoch)

    def output(self, features: Features) -> ModelOutput:
        settings, n_users = self.settings, self.n_users
        behaviour = layer_mean(self.adjacency, self.users, self.items, settings.n_layers)
        factors, hyper, extras = behaviour, torch.zeros_like(behaviour), {}
        for m in self.modalities:
            factors = factors + normalize(self.local(m, features[m]))
            of_users, of_items = self.memberships(m, features[m])
            items = behaviour[n_users:]
            for _ in range(settings.n_hyper_layers):
                edges = of_items.T @ items
                items = of_items @ edges
            extras[m] = torch.cat([of_users @ edges, items])
            hyper = hyper + extras[m]
        factors = factors + settings.hyper_weight * normalize(hyper)
        return ModelOutput(factors[:n_users], factors[n_users:], extras)

    def over_users(self, items: Tensor) -> Tensor:
        """The mean over each user's items [n_users, .] of rows of items."""
        silent = torch.cat([items.new_zeros(self.n_users, items.shape[1]), items])
        heard: Tensor = Propagate.apply(self.mean, self.transposed, silent)
        return heard[: self.n_users]

    def local(self, modality: str, x_IF: Tensor) -> Tensor:
        """One modality's walk over the interactions [N, D]."""
        items = self.projection[modality](x_IF)
        nodes = torch.cat([self.over_users(items), items])
        for _ in range(self.settings.n_modality_layers):
            nodes = Propagate.apply(self.adjacency, self.adjacency, nodes)
        return nodes

    def memberships(self, modality: str, x_IF: Tensor) -> tuple[Tensor, Tensor]:
        """Shares of the hyperedges, of users [n_users, H] and of items [n_items, H]."""
        items = self.hyperedge[modality](x_IF)
        users = self.over_users(items) * self.degrees[:, None]
        is_noisy = self.training and self._draws is not None
        shares = []
        for logits in (users, items):
            if is_noisy:
                waits = torch.empty(logits.shape).exponential_(generator=self._draws)
                logits = logits - waits.to(logits).log()
            share = (logits / self.settings.temperature).softmax(dim=1)
            if is_noisy and self._draws is not None:
                share = dropped_out(share, self.settings.dropout, self._draws)
            shares.append(share)
        return shares[0], shares[1]

    def terms(self, batch: TermInputs) -> dict[str, Tensor]:
        if not self.term_names:
            return {}
        positives = batch.items[batch.positive_rows] + self.n_users
        total = batch.user_factors.new_zeros(())
        for one, other in combinations(self.modalities, 2):
            view, against = batch.extras[one], batch.extras[other]
            for nodes, everyone in (
                (batch.users, against[: self.n_users]),
                (positives, against[self.n_users :]),
            ):
                loss = info_nce(view[nodes], against[nodes], self.settings.temperature, everyone)
                total = total + len(nodes) * loss
        return {"contrast": self.settings.contrast_weight * total}
