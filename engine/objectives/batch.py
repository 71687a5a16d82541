"""One batch of triples, with each distinct item's features gathered once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from engine.data.features import Features
from engine.models import ModelOutput, Recommender, TermInputs


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
    """

    triples: Triples
    items: Tensor
    positive_rows: Tensor
    negative_rows: Tensor
    all_features: Features
    """Features of the whole catalogue."""
    is_row_local: bool

    @staticmethod
    def gather(model: Recommender, triples: Triples, features: Features) -> Batch:
        """Find the distinct items, so that each is projected once."""
        both = torch.cat([triples.positives, triples.negatives])
        items, rows = torch.unique(both, return_inverse=True)
        size = len(triples)
        return Batch(triples, items, rows[:size], rows[size:], features, model.row_local)

    @cached_property
    def features(self) -> Features:
        """Features as ``item_factors`` takes them: N rows for a row-local model, else all."""
        if not self.is_row_local:
            return self.all_features
        return {m: x.index_select(0, self.items) for m, x in self.all_features.items()}

    def margins(self, user_factors: Tensor, item_factors: Tensor) -> Tensor:
        """``s_ui - s_uj`` [B] from factors of the triples' users [B, D] and the items [N, D]."""
        # The gradient of an embedding look-up adds rows several times faster than index_select's.
        positives = torch.nn.functional.embedding(self.positive_rows, item_factors)
        negatives = torch.nn.functional.embedding(self.negative_rows, item_factors)
        return (user_factors * (positives - negatives)).sum(dim=1)

    def summed_by_user(self, rows: Tensor) -> Tensor:
        """Rows of the triples' users [B, D], each replaced by the sum over its user's triples."""
        distinct, places = torch.unique(self.triples.users, return_inverse=True)
        summed = rows.new_zeros(len(distinct), rows.shape[1]).index_add_(0, places, rows)
        return summed[places]


RankingLoss = Callable[[Tensor], Tensor]
"""From margins [B] to a scalar."""


def loss_of(
    model: Recommender,
    batch: Batch,
    output: ModelOutput,
    features: Features | None,
    ranking: RankingLoss,
    generator: torch.Generator,
) -> Tensor:
    """What a model minimises of a batch, ranking loss and its own terms (a scalar).

    From factors of the triples' users [B, D] and the distinct items [N, D], and the features they
    were made of; None for the batch's own.
    """
    users, items = output.users, output.items
    total = ranking(batch.margins(users, items)) if model.ranks else users.new_zeros(())
    if not model.term_names:
        return total
    inputs = TermInputs(
        users=batch.triples.users,
        items=batch.items,
        positive_rows=batch.positive_rows,
        negative_rows=batch.negative_rows,
        features=batch.features if features is None else features,
        user_factors=users,
        item_factors=items,
        ranking=ranking,
        generator=generator,
        extras=output.extras,
    )
    for term in model.terms(inputs).values():
        total = total + term
    return total


@dataclass(frozen=True)
class Step:
    """One batch in the middle of its forward pass: what an adversarial term may build on."""

    model: Recommender
    batch: Batch
    users: Tensor
    """Factors of the triples' users [B, D]."""
    items: Tensor
    """Factors of the distinct items [N, D]."""
    projected: Tensor | None
    """Projected features of the distinct items [N, P], where the model is a LinearProjection."""
    clean: Tensor
    """The loss of the batch as it is, the model's own terms included (a scalar)."""
    loss: RankingLoss
    generator: torch.Generator
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    """What the model's own terms read besides."""

    def value_of(self, features: Features) -> Tensor:
        """The same loss on other features, in the batch's shape (a scalar)."""
        output = self.model.batch_output(features, self.batch.triples.users, self.batch.items)
        return loss_of(self.model, self.batch, output, features, self.loss, self.generator)

    def value_at(self, users: Tensor, items: Tensor) -> Tensor:
        """The same loss at other factors [B, D] and [N, D] on the same features (a scalar)."""
        output = ModelOutput(users, items, self.extras)
        return loss_of(self.model, self.batch, output, None, self.loss, self.generator)


class Adversary(Protocol):
    """A term added to the clean loss."""

    passes: int
    """Gradient passes a batch costs with this term; 1 without any."""

    def term(self, step: Step) -> Tensor:
        """The weighted term of one batch (a scalar)."""
