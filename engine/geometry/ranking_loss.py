"""The loss that slices and curvature look at: mean BPR loss of frozen triples, from factors.

Legend: T triples, U users, I items, D factor width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.data.features import Features
from engine.foundation.seeding import torch_generator
from engine.geometry.side_by_side import side_by_side
from engine.models import LinearProjection, Recommender
from engine.objectives import Batch, Objective, Triples
from engine.training import Trained

BLOCK = 4096
"""Triples whose factors are gathered at a time: 4,096 x 128 floats stay in a core's cache."""


def margins_of(users_UD: Tensor, items_ID: Tensor, triples: Triples) -> Tensor:
    """``s_ui - s_uj`` of each triple [T], gathered in blocks (no gradient is kept)."""
    margins_T = users_UD.new_empty(len(triples))

    def fill(span: slice) -> None:
        part = triples.part(span.start, span.stop)
        chosen = items_ID.index_select(0, part.positives)
        chosen -= items_ID.index_select(0, part.negatives)
        margins_T[span] = torch.linalg.vecdot(chosen, users_UD.index_select(0, part.users))

    for _ in side_by_side(fill, len(triples), BLOCK, margins_T.device):
        pass
    return margins_T


def mean_ranking_loss(users_UD: Tensor, items_ID: Tensor, triples: Triples) -> float:
    """Mean ``softplus(-(s_ui - s_uj))`` of the triples; summed in float64."""
    losses_T = nn.functional.softplus(-margins_of(users_UD, items_ID, triples))
    return float(losses_T.sum(dtype=torch.float64)) / len(triples)


class PlainProjection:
    """A linearly projecting model whose chosen rows go through a plain product.

    The blocked product that training uses can be differentiated once; this one twice.
    """

    def __init__(self, model: Recommender) -> None:
        self._model: Any = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def projection_weights(self) -> dict[str, Tensor]:
        return self._model.projection_weights()

    def project(self, features: Features, items: Tensor | None = None) -> Tensor:
        if items is not None:
            features = {m: features[m].index_select(0, items) for m in self._model.modalities}
        return self._model.project(features)

    def combine(self, projected: Tensor, items: Tensor | None = None) -> Tensor:
        return self._model.combine(projected, items)


class LossModule(nn.Module):
    """A loss of a batch of triples as a module, so that ``functional_call`` can move its weights.

    ``ranking``: mean BPR loss. ``objective``: what the run minimised, regulariser and adversarial
    term included; the adversarial perturbation is recomputed at the weights and held constant, as
    in training, and what the objective draws is drawn from one fixed seed.
    """

    def __init__(self, trained: Trained, kind: str = "ranking") -> None:
        super().__init__()
        self.model = trained.model
        self.features = trained.features
        self.objective: Objective | None = None
        if kind == "objective":
            self.objective = Objective(trained.config.objective, trained.model, trained.features)

    def forward(self, triples: Triples) -> Tensor:
        if self.objective is not None:
            draws = torch_generator(0, "frozen objective")
            model: Any = self.model
            if isinstance(self.model, LinearProjection):
                model = PlainProjection(self.model)
            return self.objective(model, triples, self.features, draws)
        batch = Batch.gather(self.model, triples, self.features)
        users, items = self.model.batch_factors(batch.features, triples.users, batch.items)
        return nn.functional.softplus(-batch.margins(users, items)).mean()
