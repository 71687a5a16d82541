"""GRCN: interactions refined by what items show, then walked (Wei et al., arXiv 2111.02036)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding, leaky_relu, normalize

from engine.data import Dataset
from engine.data.features import Features
from engine.models.parts.graph_recommender import GraphRecommender
from engine.models.recommender import (
    Block,
    ModelOutput,
    MultimodalConfig,
    readable_modalities,
    xavier_uniform,
)


class GRCNConfig(MultimodalConfig):
    """A graph whose edges weigh as much as an item's features suit the user's prototype."""

    name: Literal["grcn"] = "grcn"
    width: int = Field(default=64, ge=1, le=1024)
    """Width of the free embeddings (columns)."""
    content_width: int | None = Field(default=None, ge=1, le=1024)
    """Width of each modality's projected features (columns), or none for ``width``."""
    form: Literal["paper", "released"] = "paper"
    """``paper``: users' prototypes are routed; ``released``: they stay where training puts them, as
    in its authors' code and the ports of it that Mirror Gradient's rows come from."""
    n_routings: int = Field(default=3, ge=0, le=8)
    """Steps by which a user's prototype moves toward the user's items (3 in MMRec's
    configuration); without effect in the released form."""

    def build(self, dataset: Dataset, generator: torch.Generator) -> GRCN:
        return GRCN(self, dataset, generator)


class GRCN(GraphRecommender):
    """``[graph part | content part of each modality]``, for users and items alike.

    For each modality, items enter with ``x_i = LeakyReLU(A f_i + b)`` and users with a free
    prototype ``p_u``, all of length 1. Each routing step adds to a prototype the mean of its
    user's items, weighted by ``softmax_i <p_u, x_i>``, and takes it back to length 1. Then every
    edge j -> n gets the share ``s_jn = softmax over n's neighbours j of <x_n, x_j>``, and a node's
    content is ``x_n + sum_j s_jn x_j``.

    The graph part refines: an edge weighs ``w_jn = max(0, max over modalities of c_j s_jn)`` with a
    trained confidence c_j of node j in the modality, and free embeddings e of length 1 walk it
    twice: ``e + W e + W W e``.

    Features reach users as well as items, and gradients by them are true ones. In the released
    code, its authors' own as well as MMRec's port, the routing's messages flow to items only, so
    that prototypes never move: the form ``released``. The penalty acts on the free embeddings;
    prototypes, which the port penalises too, and confidences are not penalised.
    """

    affine: ClassVar[bool] = False
    row_local: ClassVar[bool] = False
    blocks: ClassVar[Mapping[str, Block]] = {
        "users": "users",
        "user_confidence": "users",
        "prototype": "users",
        "items": "items",
        "item_confidence": "items",
    }
    sources: Tensor
    targets: Tensor

    def __init__(self, config: GRCNConfig, dataset: Dataset, generator: torch.Generator) -> None:
        super().__init__(config, dataset)
        self.n_routings = config.n_routings if config.form == "paper" else 0
        self.modalities = readable_modalities(config, dataset)

        def matrix(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(xavier_uniform(rows, columns, generator=generator))

        self.users = matrix(self.n_users, config.width)
        self.items = matrix(self.n_items, config.width)
        self.user_confidence = matrix(self.n_users, len(self.modalities))
        self.item_confidence = matrix(self.n_items, len(self.modalities))
        self.prototype = nn.ParameterDict()
        self.projection = nn.ParameterDict()
        self.projection_bias = nn.ParameterDict()
        width = config.content_width or config.width
        for m in self.modalities:
            self.prototype[m] = matrix(self.n_users, width)
            self.projection[m] = matrix(width, int(dataset.features[m].shape[1]))
            self.projection_bias[m] = nn.Parameter(torch.zeros(width))
        train = dataset.matrix("train").tocoo()
        to_users = np.stack([train.col + self.n_users, train.row])
        to_items = to_users[::-1, np.argsort(train.col, kind="stable")]
        edges = torch.from_numpy(np.concatenate([to_users, to_items], axis=1).astype(np.int64))
        self.n_ratings = train.nnz
        """The first so many edges lead to users, as many more to items."""
        self.register_buffer("sources", edges[0], persistent=False)
        self.register_buffer("targets", edges[1], persistent=False)

    def output(self, features: Features) -> ModelOutput:
        found = [self.content(m, features[m]) for m in self.modalities]
        shares_EM = torch.stack([shares for _, shares in found], dim=1)
        confidence = torch.cat([self.user_confidence, self.item_confidence])
        weights_EM = shares_EM * embedding(self.sources, confidence)
        refined_E = weights_EM.max(dim=1).values.relu()
        layer = total = normalize(torch.cat([self.users, self.items]))
        for _ in range(2):
            layer = self.heard(layer, refined_E)
            total = total + layer
        factors = torch.cat([total, *(content for content, _ in found)], dim=1)
        return ModelOutput(factors[: self.n_users], factors[self.n_users :])

    def content(self, modality: str, x_IF: Tensor) -> tuple[Tensor, Tensor]:
        """One modality's content part of all nodes [N, C], and each edge's share [E]."""
        weight = self.projection[modality]
        projected = (x_IF @ weight.to(x_IF.dtype).T).to(weight.dtype)
        items = normalize(leaky_relu(projected + self.projection_bias[modality]))
        users = normalize(self.prototype[modality])
        for _ in range(self.n_routings):
            nodes = torch.cat([users, items])
            shares = self.shares(nodes, self.n_ratings)
            users = normalize(users + self.heard(nodes, shares)[: self.n_users])
        nodes = torch.cat([users, items])
        shares = self.shares(nodes, len(self.sources))
        return nodes + self.heard(nodes, shares), shares

    def shares(self, nodes: Tensor, n_edges: int) -> Tensor:
        """``softmax <x_n, x_j>`` over the sources j of each target n, of the first edges [E]."""
        sources, targets = self.sources[:n_edges], self.targets[:n_edges]
        # Rows have length 1 at most, so that no exponential can overflow.
        odds = (embedding(sources, nodes) * embedding(targets, nodes)).sum(dim=1).exp()
        totals = odds.new_zeros(len(nodes)).index_add(0, targets, odds)
        return odds / totals[targets]

    def heard(self, nodes: Tensor, weights: Tensor) -> Tensor:
        """What each node hears over the first edges, as many as there are weights [N, .]."""
        n_edges = len(weights)
        messages = embedding(self.sources[:n_edges], nodes) * weights[:, None]
        return torch.zeros_like(nodes).index_add(0, self.targets[:n_edges], messages)
