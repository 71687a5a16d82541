"""Several seeds of one config as one model: weights stacked to [S, ...], one loss a seed.

Seeds never meet in any operation, so the gradient of the summed losses is each seed's own. For the
ranking loss S seeds are one virtual model with S * U users and S * I items: user u of seed s is row
``s * U + u`` of the flattened table, items likewise. Factors are those of whole tables, not of a
batch's rows, which suits catalogues no larger than what a batch touches.

Legend: S seeds, U users, I items, B triples of a seed's batch, D factor width, P projection width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.data import Dataset
from engine.data.features import Features
from engine.models import BPRMFConfig, LightGCNConfig, Recommender, VBPRConfig
from engine.models.bpr_mf import BPRMF
from engine.models.graphs import Propagate
from engine.models.lightgcn import LightGCN
from engine.models.vbpr import VBPR


class WholeTables(Recommender):
    """What stacked models share: a batch's free embeddings are the whole tables."""

    users: nn.Parameter
    items: nn.Parameter

    def embeddings(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        del users, items
        return self.users, self.items


class StackedBPRMF(WholeTables, BPRMF):
    """BPR-MF with tables [S, U, D] and [S, I, D]."""


class Projection(torch.autograd.Function):
    """``weight @ x.T`` [N, I] for fixed features, or its value where that is known already."""

    @staticmethod
    def forward(ctx: Any, weight_NF: Tensor, x_IF: Tensor, known_NI: Tensor | None) -> Tensor:
        ctx.x, ctx.dtype = x_IF, weight_NF.dtype
        if known_NI is not None:
            return known_NI
        return (weight_NF.to(x_IF.dtype) @ x_IF.T).to(weight_NF.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return (gradients[0].to(ctx.x.dtype) @ ctx.x).to(ctx.dtype), None, None


class StackedVBPR(WholeTables, VBPR):
    """VBPR of S seeds; the features are read once for all of them.

    What a call without gradients (validation) projected serves the next call with them, once: the
    step after validation starts from the same weights.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._projected: dict[str, Tensor] = {}

    def project(self, features: Features, items: Tensor | None = None) -> Tensor:
        known = self._projected if torch.is_grad_enabled() else {}
        self._projected = {}
        total: Tensor | None = None
        for m in self.modalities:
            weight_NF = self.projection[m].flatten(0, 1)
            part: Tensor = Projection.apply(weight_NF, features[m], known.get(m))
            if not torch.is_grad_enabled():
                self._projected[m] = part
            total = part if total is None else total + part
        assert total is not None
        total = total.view(len(self.items), -1, self.n_items)
        projected_SIP = total.mT
        return projected_SIP if self.bias is None else projected_SIP + self.bias[:, None]

    def combine(self, projected: Tensor, items: Tensor | None = None) -> Tensor:
        return (
            torch.cat([self.items, projected], dim=2) if self.is_concat else self.items + projected
        )


class StackedLightGCN(WholeTables, LightGCN):
    """LightGCN of S seeds; the graph is walked once for all of them."""

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        tables_SND = torch.cat([self.users, self.items], dim=1)
        n_seeds, n_nodes, width = tables_SND.shape
        layer = tables_SND.transpose(0, 1).reshape(n_nodes, n_seeds * width)
        total = layer
        for _ in range(self.n_layers):
            layer = Propagate.apply(self.adjacency, self.adjacency, layer)
            total = total + layer
        mean = (total / (self.n_layers + 1)).view(n_nodes, n_seeds, width).transpose(0, 1)
        return mean[:, : self.n_users], mean[:, self.n_users :]


STACKED: dict[type[Recommender], type[Recommender]] = {
    BPRMF: StackedBPRMF,
    VBPR: StackedVBPR,
    LightGCN: StackedLightGCN,
}
"""The stacked form of each model that has one."""


def stacked_model(models: list[Recommender], dataset: Dataset) -> Recommender:
    """One model of equal models' weights, each parameter [S, ...] under its own name."""
    first = models[0]
    kind: Any = STACKED[type(first)]
    made: Recommender = kind(first.config, dataset, torch.Generator())
    like = next(first.parameters())
    made.to(like.device, like.dtype)
    parts = [dict(model.named_parameters()) for model in models]
    for name, parameter in made.named_parameters():
        parameter.data = torch.stack([part[name].detach() for part in parts])
    return made


def can_stack(config: Any) -> bool:
    """Whether the model of this config has a stacked form."""
    return isinstance(config, (BPRMFConfig, VBPRConfig, LightGCNConfig))
