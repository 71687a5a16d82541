"""Goals of an attacker who knows which held-out items should be found: the worst case.

Shapes: U users, E users with held-out positives, B users of a block, I items, D factor width, N
held-out (user, item) pairs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.data import Split
from engine.data.negatives import NegativeSampler
from engine.foundation.errors import DataError
from engine.foundation.seeding import torch_generator
from engine.objectives import Triples
from engine.robustness.perturbed_model.model_under_test import TRIPLES_SEED, ModelUnderTest

NEGATIVES = 10
"""Negatives for each held-out positive: one draw would aim at one rival only."""
BLOCK_CELLS = 16_000_000
"""Most scores made at a time."""
WIDTH = 0.25
"""Width of the smooth hit, in standard deviations of a user's clean scores."""


def held_out_triples(model: ModelUnderTest, split: Split) -> Triples:
    """Every held-out pair with ten frozen negatives, the same for every run.

    Raises DataError where the split is empty.
    """
    pairs = model.dataset.interactions(split)
    if len(pairs) == 0:
        raise DataError(_nothing_held_out(model, split))
    users = torch.tensor(np.repeat(pairs.users, NEGATIVES))
    items = torch.tensor(np.repeat(pairs.items, NEGATIVES))
    draws = torch_generator(TRIPLES_SEED, "robustness held-out triples")
    negatives = NegativeSampler(model.dataset).sample(users, draws)
    return Triples(*(ids.to(model.device) for ids in (users, items, negatives)))


class TopKGoal:
    """Minus a smooth Recall@k: the mean over users of the mean over their held-out positives of
    ``sigmoid((s_ui - tau_u) / w_u)``.

    ``tau_u`` is the user's k-th best score of the moment among items not in training, through whose
    item the gradient goes as well; ``w_u`` is a quarter of the standard deviation of the user's
    clean scores, so that the goal does not depend on the unit of scores.
    """

    def __init__(self, model: ModelUnderTest, split: Split, k: int) -> None:
        """Raises DataError where the split is empty."""
        relevant = model.dataset.matrix(split)
        self.users = np.flatnonzero(np.diff(relevant.indptr))
        if len(self.users) == 0:
            raise DataError(_nothing_held_out(model, split))
        chosen = relevant[self.users]
        counts = np.diff(chosen.indptr)
        train = model.dataset.matrix("train")[self.users]
        self.pair_rows = np.repeat(np.arange(len(self.users)), counts)
        self.pair_items = chosen.indices.astype(np.int64)
        self.known_rows = np.repeat(np.arange(len(self.users)), np.diff(train.indptr))
        self.known_items = train.indices.astype(np.int64)
        self.k = min(k, model.dataset.n_items)
        self.device = model.device
        self.size = max(1, BLOCK_CELLS // model.dataset.n_items)
        self.weights = torch.from_numpy(1.0 / (counts[self.pair_rows] * len(self.users)))
        users_UD, items_ID = model.clean_factors
        widths = [
            WIDTH * (users_UD[ids] @ items_ID.T).std(dim=1).clamp_min(1e-12)
            for ids, *_ in self._blocks()
        ]
        self.widths = torch.cat(widths)

    def value_and_gradients(
        self, users_UD: Tensor, items_ID: Tensor
    ) -> tuple[float, Tensor, Tensor]:
        by_users, by_items = torch.zeros_like(users_UD), torch.zeros_like(items_ID)
        value, start = 0.0, 0
        for ids, rows, items, known_rows, known_items, weights in self._blocks():
            users_BD = users_UD.index_select(0, ids)
            scores_BI = users_BD @ items_ID.T
            wanted = scores_BI[rows, items]
            scores_BI[known_rows, known_items] = -torch.inf
            best = torch.topk(scores_BI, self.k, dim=1)
            last, last_items = best.values.min(dim=1)
            last_items = best.indices.gather(1, last_items[:, None])[:, 0]
            widths = self.widths[start : start + len(ids)].index_select(0, rows)
            apart = (wanted - last.index_select(0, rows)) / widths
            hits = torch.sigmoid(apart.nan_to_num(nan=0.0))
            weights = weights.to(hits)
            value -= float((weights * hits).sum(dtype=torch.float64))
            slopes = weights * hits * (1 - hits) / widths
            table = torch.zeros_like(scores_BI)
            table.index_put_((rows, items), -slopes, accumulate=True)
            table.index_put_((rows, last_items.index_select(0, rows)), slopes, accumulate=True)
            by_users.index_add_(0, ids, table @ items_ID)
            by_items += table.T @ users_BD
            start += len(ids)
        return value, by_users, by_items

    def _blocks(self) -> list[tuple[Tensor, ...]]:
        """Users [B], then rows within the block and items of held-out and of training pairs, and
        the weights of the former."""
        blocks = []
        for start in range(0, len(self.users), self.size):
            end = start + self.size
            near = slice(*np.searchsorted(self.pair_rows, [start, end]))
            known = slice(*np.searchsorted(self.known_rows, [start, end]))
            blocks.append(
                tuple(
                    torch.as_tensor(x).to(self.device)
                    for x in (
                        self.users[start:end],
                        self.pair_rows[near] - start,
                        self.pair_items[near],
                        self.known_rows[known] - start,
                        self.known_items[known],
                        self.weights[near],
                    )
                )
            )
        return blocks


def _nothing_held_out(model: ModelUnderTest, split: Split) -> str:
    return (
        f"dataset '{model.dataset.name}' has no {split} interactions, so an attack cannot aim at "
        "them; choose the goal untargeted, or read the dataset with another split."
    )
