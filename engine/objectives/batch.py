"""One batch of triples, with each distinct item's features gathered once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data.features import Features
from engine.models import Recommender


@dataclass(frozen=True)
class Triples:
    """Users, the items they chose and the items they did not; int64 tensors of shape [B]."""

    users: Tensor
    positives: Tensor
    negatives: Tensor

    def __len__(self) -> int:
        return len(self.users)

    def part(self, start: int, end: int) -> Triples:
        """Triples ``start`` to ``end``, without copying."""
        return Triples(self.users[start:end], self.positives[start:end], self.negatives[start:end])


@dataclass(frozen=True)
class Batch:
    """Triples and what the model needs to score them.

    ``items`` [N] are the distinct items; ``positive_rows`` and ``negative_rows`` [B] index it.
    ``features`` hold those N rows for a row-local model and all rows for any other.
    """

    triples: Triples
    items: Tensor
    positive_rows: Tensor
    negative_rows: Tensor
    features: Features

    @staticmethod
    def gather(model: Recommender, triples: Triples, features: Features) -> Batch:
        """Look up each distinct item's features once."""
        both = torch.cat([triples.positives, triples.negatives])
        items, rows = torch.unique(both, return_inverse=True)
        if model.row_local:
            features = {m: features[m].index_select(0, items) for m in model.modalities}
        size = len(triples)
        return Batch(triples, items, rows[:size], rows[size:], features)

    def margins(self, user_factors: Tensor, item_factors: Tensor) -> Tensor:
        """``s_ui - s_uj`` [B] from factors of the triples' users [B, D] and the items [N, D]."""
        positives = item_factors.index_select(0, self.positive_rows)
        negatives = item_factors.index_select(0, self.negative_rows)
        return (user_factors * (positives - negatives)).sum(dim=1)
