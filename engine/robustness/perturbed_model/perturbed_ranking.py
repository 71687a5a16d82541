"""Ranks of what users really wanted, recomputed from the scores that a change touches.

The same metrics as ``engine.evaluation.evaluate``, in the same order of items (higher score first,
of equal scores the lower id first), but from the few best scores of each user, and, where few items
changed, from the clean counts. Ranks beyond the longest list are all given as its length K, since
no metric looks further.

Shapes: E evaluated users, I items, N relevant (user, item) pairs, n changed items, K longest list.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from engine.data import Split
from engine.evaluation import metrics_of_hits
from engine.foundation.errors import DataError
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import FactorChange, Straight, Switched

KEPT_SCORES = 64_000_000
"""Most clean scores kept in memory (256 MB in float32); above it they are made block by block."""
COUNTED = 1_000_000
"""Scores compared at a time, so that they stay in the processor's cache."""
FEW = 0.08
"""Share of changed items below which only their scores are compared anew."""


class Ranking:
    """One model's users with relevant items in a split, and the ranks of those items."""

    def __init__(self, model: ModelUnderTest, split: Split, cutoffs: tuple[int, ...]) -> None:
        relevant = model.dataset.matrix(split)
        self.model = model
        self.split: Split = split
        self.cutoffs = cutoffs
        self._last_product: tuple[Tensor, Tensor] | None = None
        self.longest = min(max(cutoffs), model.dataset.n_items)
        self.users = np.flatnonzero(np.diff(relevant.indptr))
        if len(self.users) == 0:
            raise DataError(
                f"dataset '{model.dataset.name}' has no {split} interactions, so accuracy cannot "
                "be measured; read it with another split."
            )
        chosen = relevant[self.users]
        self.counts = np.diff(chosen.indptr)
        self.pair_rows = np.repeat(np.arange(len(self.users)), self.counts)
        self.pair_items = chosen.indices.astype(np.int64)
        device = model.device
        self._rows = torch.from_numpy(self.pair_rows).to(device)
        self._items = torch.from_numpy(self.pair_items).to(device)
        train = model.dataset.matrix("train")[self.users].tocoo()
        self._known_rows = torch.from_numpy(train.row.astype(np.int64)).to(device)
        self._known_items = torch.from_numpy(train.col.astype(np.int64)).to(device)
        self.user_ids = torch.from_numpy(self.users).to(device)
        size = len(self.users) * model.dataset.n_items
        self.block = (
            len(self.users) if size <= KEPT_SCORES else max(1, KEPT_SCORES // model.dataset.n_items)
        )

    @cached_property
    def clean_users(self) -> Tensor:
        """Clean factors of the evaluated users [E, D]."""
        return self.model.clean_factors[0].index_select(0, self.user_ids)

    @cached_property
    def clean_scores(self) -> Tensor:
        """Clean scores [E, I], train items at -inf; only where they fit in memory."""
        return self.scores(self.clean_users, self.model.clean_factors[1], 0)

    @cached_property
    def clean_ranks(self) -> Tensor:
        """Ranks from 0 to K of the relevant pairs on clean features, int64 [N]."""
        return self._all_ranks(self.clean_users, self.model.clean_factors[1])

    @property
    def fits(self) -> bool:
        """Whether all scores are kept."""
        return self.block >= len(self.users)

    def ranks(self, change: FactorChange) -> Tensor:
        """Ranks from 0 to K of the relevant pairs after a change, int64 [N]."""
        if len(change.items) == 0 and change.user_factors is None:
            return self.clean_ranks
        n_items = self.model.dataset.n_items
        if change.user_factors is None and self.fits and len(change.items) <= FEW * n_items:
            return self._few_changed(change)
        if change.along is not None and self.fits:
            return self._ranks_of(self._scores_along(change, change.along), 0)
        users, items = self.clean_users, self.items_after(change)
        if change.user_factors is not None:
            users = change.user_factors.index_select(0, self.user_ids)
        return self._all_ranks(users, items)

    def items_after(self, change: FactorChange) -> Tensor:
        """All item factors [I, D] after a change."""
        clean = self.model.clean_factors[1]
        if len(change.items) == len(clean):
            return change.item_factors
        return clean.index_copy(0, change.items, change.item_factors)

    def metrics(self, ranks: Tensor) -> dict[str, np.ndarray]:
        """Each metric per evaluated user [E], by name such as ``recall@20``."""
        places = ranks.cpu().numpy()
        is_hit = places < self.longest
        hits_EK = np.zeros((len(self.users), self.longest), dtype=bool)
        hits_EK[self.pair_rows[is_hit], places[is_hit]] = True
        return metrics_of_hits(hits_EK, self.counts, self.cutoffs)

    def scores(self, users_ED: Tensor, items_ID: Tensor, start: int) -> Tensor:
        """Scores [B, I] of the evaluated users from ``start`` on, train items at -inf."""
        scores = users_ED[start : start + self.block] @ items_ID.T
        if self.fits:
            scores[self._known_rows, self._known_items] = -torch.inf
        else:
            inside = (self._known_rows >= start) & (self._known_rows < start + self.block)
            scores[self._known_rows[inside] - start, self._known_items[inside]] = -torch.inf
        return scores

    def _all_ranks(self, users_ED: Tensor, items_ID: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(self.users), self.block):
            parts.append(self._ranks_of(self.scores(users_ED, items_ID, start), start))
        return torch.cat(parts)

    def _ranks_of(self, scores_BI: Tensor, start: int) -> Tensor:
        """Ranks of the relevant pairs of a block of users, from all their scores."""
        low, high = np.searchsorted(self.pair_rows, [start, start + self.block])
        rows, items = self._rows[low:high] - start, self._items[low:high]
        wanted = scores_BI[rows, items]
        # One more than K, so that equal scores at the end of the list are seen.
        best_BK = largest(scores_BI, self.longest + 1)
        near = torch.nonzero(wanted >= best_BK.amin(dim=1).index_select(0, rows)).flatten()
        above, reached = _counts(best_BK, rows[near], wanted[near])
        tied = torch.nonzero(reached - above > 1).flatten()
        if len(tied):
            above[tied] = _place(scores_BI[rows[near[tied]]], items[near[tied]])
        ranks = torch.full_like(rows, self.longest)
        ranks[near] = above
        return self._capped_ranks(ranks, slice(low, high))

    def _scores_along(self, change: FactorChange, along: Straight | Switched) -> Tensor:
        """Scores [E, I] after a change, from the product that serves all strengths of its draw."""
        if isinstance(along, Straight):
            moving_EI = self._product(along.step, change.items)
            return torch.add(self.clean_scores, moving_EI, alpha=along.strength)
        other_EI = self._product(along.made, along.items)
        is_hit = torch.zeros(other_EI.shape[1], dtype=torch.bool, device=other_EI.device)
        is_hit[change.items] = True
        hidden = self.clean_scores == -torch.inf
        return torch.where(is_hit & ~hidden, other_EI, self.clean_scores)

    def _product(self, rows_nD: Tensor, items: Tensor) -> Tensor:
        """``U rows^T`` at the columns of the items, 0 elsewhere [E, I]; the last one is kept."""
        if self._last_product is None or self._last_product[0] is not rows_nD:
            product = self.clean_users @ rows_nD.T
            if len(items) < self.model.dataset.n_items:
                whole = product.new_zeros(len(product), self.model.dataset.n_items)
                product = whole.index_copy_(1, items, product)
            self._last_product = (rows_nD, product)
        return self._last_product[1]

    def _capped_ranks(self, ranks: Tensor, part: slice = slice(None)) -> Tensor:
        """Ranks capped at K, and K for a relevant item that is also in train: never listed."""
        return torch.where(self._is_known[part], self.longest, ranks.clamp_max(self.longest))

    @cached_property
    def _is_known(self) -> Tensor:
        keys = self._rows * self.model.dataset.n_items + self._items
        known = self._known_rows * self.model.dataset.n_items + self._known_items
        return torch.isin(keys, known)

    @cached_property
    def _clean_counts(self) -> tuple[Tensor, Tensor]:
        """How many items score more, and at least as much, as each relevant pair: [N] each."""
        wanted = self.clean_scores[self._rows, self._items]
        return _counts(self.clean_scores, self._rows, wanted)

    def _few_changed(self, change: FactorChange) -> Tensor:
        """Ranks from the clean counts: only the changed items' columns are compared again."""
        before_En = self.clean_scores.index_select(1, change.items)
        after_En = self.clean_users @ change.item_factors.T
        after_En.masked_fill_(before_En == -torch.inf, -torch.inf)
        column_of = torch.full((self.model.dataset.n_items,), -1, device=self._items.device)
        column_of[change.items] = torch.arange(len(change.items), device=column_of.device)
        column = column_of[self._items]
        moved = torch.nonzero(column >= 0).flatten()
        wanted = self.clean_scores[self._rows, self._items]
        wanted[moved] = after_En[self._rows[moved], column[moved]]
        above, reached = (counts.clone() for counts in self._clean_counts)
        own_rows = self._rows[moved]
        above[moved], reached[moved] = _counts(self.clean_scores, own_rows, wanted[moved])
        for sign, scores in ((1, after_En), (-1, before_En)):
            more, least = _counts(scores, self._rows, wanted)
            above += sign * more
            reached += sign * least
        tied = torch.nonzero((reached - above > 1) & (above < self.longest)).flatten()
        if len(tied):
            whole = self.clean_scores[self._rows[tied]]
            whole[:, change.items] = after_En[self._rows[tied]]
            above[tied] = _place(whole, self._items[tied])
        return self._capped_ranks(above)


def largest(scores_BI: Tensor, k: int) -> Tensor:
    """The k largest scores of each row in no stated order [B, k], or all where there are fewer.

    On the CPU by NumPy's partition, which is several times faster than sorting out the top k.
    """
    n_items = scores_BI.shape[1]
    if k >= n_items:
        return scores_BI
    if scores_BI.device.type != "cpu":
        return torch.topk(scores_BI, k, dim=1, sorted=False).values
    parted = np.partition(scores_BI.numpy(), n_items - k, axis=1)
    return torch.from_numpy(parted[:, n_items - k :])


def _counts(scores_EI: Tensor, rows: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """How many entries of each given row exceed, and reach, the wanted score: int64 [len(rows)]."""
    above, reached = rows.new_zeros(len(rows)), rows.new_zeros(len(rows))
    size = max(1, COUNTED // max(scores_EI.shape[1], 1))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        scores, least = scores_EI.index_select(0, rows[part]), wanted[part, None]
        above[part] = torch.count_nonzero(scores > least, dim=1)
        reached[part] = torch.count_nonzero(scores >= least, dim=1)
    return above, reached


def _place(scores_NI: Tensor, items: Tensor) -> Tensor:
    """Rank from 0 of one item in each row, of equal scores the lower id first: int64 [N]."""
    wanted = scores_NI.gather(1, items[:, None])
    earlier = torch.arange(scores_NI.shape[1], device=items.device) < items[:, None]
    return torch.count_nonzero((scores_NI > wanted) | ((scores_NI == wanted) & earlier), dim=1)
