"""The losses of several seeds' batches at once, one a seed, on the factors of whole tables.

Legend: S seeds, U users, I items, B triples of a seed's batch, D factor width, P projection width.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

from engine.data.features import Features
from engine.models import LinearProjection, Recommender
from engine.objectives import (
    Batch,
    NormPenaltyConfig,
    Objective,
    SquaredPenaltyConfig,
    Step,
    Triples,
)


@dataclass(frozen=True)
class Pattern:
    """Where a batch's triples lie in the score matrix [S * U, S * I], for products on the CPU.

    Triples are in order of users; entries 2t and 2t + 1 are triple t's positive and negative.
    """

    scores: Tensor
    """CSR, [S * U, S * I], with a zero for each entry."""
    user_starts: Tensor
    """First entry of each user [S * U + 1]."""
    items: Tensor
    """Item of each entry [2 S B]."""
    item_starts: Tensor
    """First entry of each item in the items' order [S * I + 1]."""
    by_item: Tensor
    """The entries in the items' order [2 S B]."""
    users_by_item: Tensor
    """User of each entry in the items' order [2 S B]."""


class PatternMargins(torch.autograd.Function):
    """Margins [S * B] from flat tables, without a gathered copy of any row.

    A score is a sampled entry of ``U V^T``; each table's gradient is a weighted sum of the other's
    rows. Differentiable once; asked twice for the same gradient (an adversary first, the loss
    after), it is found once.
    """

    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(users, items)
        ctx.pattern, ctx.found = pattern, None
        scores = torch.sparse.sampled_addmm(pattern.scores, users, items.T, beta=0.0).values()
        return scores[0::2] - scores[1::2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        users, items = ctx.saved_tensors
        needed = ctx.needs_input_grad[:2]
        if ctx.found is not None and ctx.found[0] == needed:
            _, asked, of_users, of_items = ctx.found
            if torch.equal(asked, gradients[0]):
                return of_users, of_items, None
        pattern: Pattern = ctx.pattern
        weights = torch.stack([gradients[0], -gradients[0]], dim=1).flatten()
        of_users = of_items = None
        if needed[0]:
            of_users = weighted_sums(pattern.items, items, pattern.user_starts, weights)
        if needed[1]:
            of_items = weighted_sums(
                pattern.users_by_item,
                users,
                pattern.item_starts,
                weights.index_select(0, pattern.by_item),
            )
        ctx.found = needed, gradients[0], of_users, of_items
        return of_users, of_items, None


def weighted_sums(rows: Tensor, table: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """``sum_e weights[e] * table[rows[e]]`` over each stretch of entries [len(starts) - 1, D]."""
    return embedding_bag(
        rows, table, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


@dataclass(frozen=True)
class StackedBatch(Batch):
    """One batch of each seed, in virtual ids; seeds lie one after the other."""

    user_counts: Tensor
    """How often each user occurs [S, U], as a number in the weights' format."""
    positive_counts: Tensor
    """How often each item occurs as a positive [S, I]."""
    negative_counts: Tensor
    """How often each item occurs as a negative [S, I]."""
    pattern: Pattern | None
    """How margins are found without gathering rows; None where only the CPU can."""

    @staticmethod
    def of(
        triples: Triples, n_users: int, n_items: int, features: Features, like: Tensor
    ) -> StackedBatch:
        """From virtual ids [S, B]; ``like`` has the weights' format and device."""
        S, n_virtual = len(triples.users), len(triples.users) * n_items
        users = triples.users.flatten()
        positives, negatives = triples.positives.flatten(), triples.negatives.flatten()
        user_counts = torch.bincount(users, minlength=S * n_users)
        positive_counts = torch.bincount(positives, minlength=n_virtual)
        negative_counts = torch.bincount(negatives, minlength=n_virtual)
        pattern = None
        if like.device.type == "cpu":
            order = stable_order(users, S * n_users)
            items = torch.stack(
                [positives.index_select(0, order), negatives.index_select(0, order)], dim=1
            ).flatten()
            by_item = stable_order(items, n_virtual)
            user_starts = starts_of(2 * user_counts)
            pattern = Pattern(
                scores=zeros_at(user_starts, items, n_virtual, like.dtype),
                user_starts=user_starts,
                items=items,
                item_starts=starts_of(positive_counts + negative_counts),
                by_item=by_item,
                users_by_item=users.index_select(0, order.index_select(0, by_item >> 1)),
            )
        return StackedBatch(
            triples=Triples(users, positives, negatives),
            items=torch.arange(n_items, device=like.device),
            positive_rows=positives,
            negative_rows=negatives,
            all_features=features,
            is_row_local=False,
            user_counts=user_counts.view(S, n_users).to(like.dtype),
            positive_counts=positive_counts.view(S, n_items).to(like.dtype),
            negative_counts=negative_counts.view(S, n_items).to(like.dtype),
            pattern=pattern,
        )

    def margins(self, user_factors: Tensor, item_factors: Tensor) -> Tensor:
        """``s_ui - s_uj`` [S, B] from all factors [S, U, D] and [S, I, D]."""
        users, items = user_factors.flatten(0, 1), item_factors.flatten(0, 1)
        if self.pattern is not None:
            found: Tensor = PatternMargins.apply(users, items, self.pattern)
        else:
            found = (
                embedding(self.triples.users, users)
                * (embedding(self.positive_rows, items) - embedding(self.negative_rows, items))
            ).sum(dim=1)
        return found.view(len(user_factors), -1)

    def summed_by_user(self, rows: Tensor) -> Tensor:
        """Gradients of whole tables are sums over triples already."""
        return rows


def virtual_ids(triples: list[Triples], n_users: int, n_items: int) -> Triples:
    """Triples of every seed [S, N] with users s * U + u and items s * I + i."""
    seeds_S1 = torch.arange(len(triples), device=triples[0].users.device)[:, None]
    return Triples(
        torch.stack([t.users for t in triples]) + seeds_S1 * n_users,
        torch.stack([t.positives for t in triples]) + seeds_S1 * n_items,
        torch.stack([t.negatives for t in triples]) + seeds_S1 * n_items,
    )


def stable_order(ids: Tensor, n: int) -> Tensor:
    """``argsort`` of ids in 0..n-1 [N]; keys of 16 bits sort in linear time."""
    keys = ids.numpy()
    if n <= 1 << 16:
        keys = keys.astype(np.uint16)
    return torch.from_numpy(np.argsort(keys, kind="stable"))


def starts_of(counts: Tensor) -> Tensor:
    """Where each stretch begins when stretches of these lengths [n] follow each other [n + 1]."""
    starts = counts.new_zeros(len(counts) + 1)
    torch.cumsum(counts, 0, out=starts[1:])
    return starts


def zeros_at(row_starts: Tensor, columns: Tensor, n_columns: int, dtype: torch.dtype) -> Tensor:
    """A CSR tensor of stored zeros."""
    with warnings.catch_warnings():
        # torch says once per process that CSR is in beta; one sampled product is all that is used.
        warnings.simplefilter("ignore")
        return torch.sparse_csr_tensor(
            row_starts,
            columns,
            torch.zeros(len(columns), dtype=dtype),
            size=(len(row_starts) - 1, n_columns),
        )


class StackedObjective:
    """An Objective on stacked weights: one loss a seed, with the same terms."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.passes = objective.passes

    def __call__(
        self, model: Recommender, batch: StackedBatch, generator: torch.Generator
    ) -> Tensor:
        """The losses [S] of one batch of each seed."""
        projected = None
        if isinstance(model, LinearProjection):
            projected = model.project(batch.all_features)
            users, items = model.user_factors({}), model.combine(projected)
        else:
            users, items = model(batch.all_features)
        ranking = self.objective.ranking
        clean = ranking(batch.margins(users, items))
        loss = clean + self.penalty(model, batch, users, items)
        if self.objective.adversary is not None:
            step = Step(model, batch, users, items, projected, clean, ranking, generator)
            loss = loss + self.objective.adversary.term(step)
        return loss

    def penalty(
        self, model: Recommender, batch: StackedBatch, users: Tensor, items: Tensor
    ) -> Tensor:
        """The config's penalty [S] on the rows each seed's batch uses, by how often it does."""
        config = self.objective.config.regulariser
        users, items = model.regularised(batch.triples.users, batch.items, users, items)
        size = len(batch.triples) // len(users)
        if isinstance(config, NormPenaltyConfig):
            of_items = RowSquares.apply(items)
            squares = torch.stack(
                [
                    (batch.user_counts * RowSquares.apply(users)).sum(dim=1),
                    (batch.positive_counts * of_items).sum(dim=1),
                    (batch.negative_counts * of_items).sum(dim=1),
                ]
            )
            return config.weight * squares.clamp_min(1e-30).sqrt().sum(dim=0) / size
        assert isinstance(config, SquaredPenaltyConfig)
        total = config.users * (batch.user_counts * RowSquares.apply(users)).sum(dim=1)
        both = batch.positive_counts + batch.negative_counts
        total = total + config.items * (both * RowSquares.apply(items)).sum(dim=1)
        if config.reduction == "mean":
            total = total / size
        if config.projection:
            for name, parameter in model.named_parameters():
                if model.block(name) == "projection":
                    total = total + config.projection * parameter.square().flatten(1).sum(dim=1)
        return total


class RowSquares(torch.autograd.Function):
    """Squared lengths of rows [..., D]; one pass each way, differentiable once."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return torch.linalg.vector_norm(rows, dim=-1).square_()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        return rows * (2 * gradients[0])[..., None]
