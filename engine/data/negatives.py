"""Negative items: those a user has no training interaction with, drawn uniformly.

Legend: C candidates, the items that may be drawn.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.foundation.errors import DataError

POOL_REDRAWS = 32
"""Draws from a batch's pool after which a user's negative is drawn from all candidates instead."""


NegativeSource = Literal["train", "all"]
"""``train``: items with at least one training interaction; ``all``: the whole catalogue."""


class NegativeSampler:
    """Draws items uniformly from those a user has not interacted with in training.

    A user's k-th positive candidate ``p_k`` (sorted, from 0) has ``p_k - k`` negatives before it.
    So the r-th negative is ``r + (how many k have p_k - k <= r)``: one draw and one binary search
    for each user asked, with no redraws however many items a user knows. Memory is linear in the
    training interactions. Draws are made on the CPU, so every device gets the same ones.

    Raises DataError where a user has interacted with every candidate, for then nothing can be
    drawn.
    """

    def __init__(self, dataset: Dataset, source: NegativeSource = "all") -> None:
        matrix = dataset.matrix("train")
        self.n_users, self.n_items = dataset.n_users, dataset.n_items
        starts = torch.from_numpy(matrix.indptr).long()
        counts = starts.diff()
        is_candidate_I = torch.ones(self.n_items, dtype=torch.bool)
        if source == "train":
            is_candidate_I = torch.from_numpy(matrix.getnnz(axis=0) > 0)
        self.candidates_C = torch.nonzero(is_candidate_I).flatten()
        n_candidates = len(self.candidates_C)
        full = torch.nonzero(counts == n_candidates).flatten()
        if len(full):
            among = " in training" if n_candidates < self.n_items else ""
            raise DataError(
                f"{dataset.name}: {len(full)} users have a training interaction with every one of "
                f"the {n_candidates} items{among}, the first is user "
                f"{int(full[0])}; no negative can be drawn for them. Leave these users out or move "
                "some interactions to valid or test."
            )
        positive_users = torch.repeat_interleave(torch.arange(self.n_users), counts)
        items = torch.from_numpy(matrix.indices).long()
        rank_in_user = torch.arange(len(items)) - starts[positive_users]
        self._starts = starts
        self._n_negatives = n_candidates - counts
        self._keys = positive_users * self.n_items + items
        places = is_candidate_I.cumsum(0)[items] - 1
        self._negatives_before = positive_users * n_candidates + places - rank_in_user

    def sample(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One negative item for each user of the list [N]; on the device of ``users``."""
        asked = users.cpu()
        draws = torch.randint(2**62, asked.shape, generator=generator)
        rank = draws % self._n_negatives[asked]  # the remainder's bias is n_items / 2**62
        key = asked * len(self.candidates_C) + rank
        skipped = torch.searchsorted(self._negatives_before, key, right=True) - self._starts[asked]
        return self.candidates_C[rank + skipped].to(users.device)

    def sample_pooled(
        self,
        users: Tensor,
        batch_size: int,
        pool: int,
        generator: torch.Generator,
    ) -> Tensor:
        """One negative for each user, where each batch of ``batch_size`` shares a drawn pool.

        A batch's pool is ``pool`` candidates drawn uniformly; each of its users takes at random one
        of those that are negative for them. By symmetry every single negative is still uniform over
        the user's negatives, so the expected gradient is unchanged; only negatives within a batch
        are no longer independent. A batch then touches fewer distinct items. Raises DataError for a
        pool below 1.
        """
        if pool < 1:
            raise DataError(f"a pool of {pool} negatives was asked for; at least 1 is needed.")
        asked = users.cpu()
        n_batches = -(-len(asked) // batch_size)
        places = torch.randint(len(self.candidates_C), (n_batches, pool), generator=generator)
        pools = self.candidates_C[places]
        batch_of = torch.arange(len(asked)) // batch_size
        drawn = torch.randint(pool, asked.shape, generator=generator)
        negatives = pools[batch_of, drawn]
        wrong = torch.nonzero(self.contains(asked, negatives)).flatten()
        for _ in range(POOL_REDRAWS):
            if len(wrong) == 0:
                break
            again = torch.randint(pool, wrong.shape, generator=generator)
            negatives[wrong] = pools[batch_of[wrong], again]
            wrong = wrong[self.contains(asked[wrong], negatives[wrong])]
        if len(wrong):
            negatives[wrong] = self.sample(asked[wrong], generator)
        return negatives.to(users.device)

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether each (user, item) of the two lists [N] is a training interaction."""
        keys = users.cpu() * self.n_items + items.cpu()
        place = torch.searchsorted(self._keys, keys).clamp(max=len(self._keys) - 1)
        return (self._keys[place] == keys).to(users.device)
