"""Goals of an attacker who knows which held-out items should be found: the worst case.

Shapes: U users, B users of a block, I items, D factor width, N held-out (user, item) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
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
        relevant, train = model.dataset.matrix(split), model.dataset.matrix("train")
        users = np.flatnonzero(np.diff(relevant.indptr))
        if len(users) == 0:
            raise DataError(_nothing_held_out(model, split))
        self.k = min(k, model.dataset.n_items)
        users_UD, items_ID = model.clean_factors
        size = max(1, BLOCK_CELLS // model.dataset.n_items)
        self.blocks = []
        for start in range(0, len(users), size):
            part = users[start : start + size]
            pair_rows, pair_items = _pairs(relevant[part])
            shares = 1 / (np.bincount(pair_rows)[pair_rows] * len(users))
            ids, rows, items, known_rows, known_items = (
                torch.from_numpy(x).to(model.device)
                for x in (part, pair_rows, pair_items, *_pairs(train[part]))
            )
            widths = WIDTH * (users_UD[ids] @ items_ID.T).std(dim=1).clamp_min(1e-12)
            self.blocks.append(
                _Block(
                    users=ids,
                    rows=rows,
                    items=items,
                    known_rows=known_rows,
                    known_items=known_items,
                    widths=widths.index_select(0, rows),
                    weights=torch.from_numpy(shares).to(widths),
                )
            )

    def value_and_gradients(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        by_users, by_items = torch.zeros_like(users_UD), torch.zeros_like(items_ID)
        value = 0.0
        for block in self.blocks:
            users_BD = users_UD.index_select(0, block.users)
            scores_BI = users_BD @ items_ID.T
            wanted = scores_BI[block.rows, block.items]
            scores_BI[block.known_rows, block.known_items] = -torch.inf
            last_B, last_items_B = kth_largest(scores_BI, self.k)
            rivals = last_items_B.index_select(0, block.rows)
            hits = torch.sigmoid((wanted - last_B.index_select(0, block.rows)) / block.widths)
            value -= float((block.weights * hits).sum(dtype=torch.float64))
            slopes = (block.weights * hits * (1 - hits) / block.widths)[:, None]
            pulled = slopes * users_BD.index_select(0, block.rows)
            by_items.index_add_(0, block.items, pulled, alpha=-1)
            by_items.index_add_(0, rivals, pulled)
            if of_users:
                ahead = items_ID.index_select(0, block.items) - items_ID.index_select(0, rivals)
                users = block.users.index_select(0, block.rows)
                by_users.index_add_(0, users, slopes * ahead, alpha=-1)
        return value, by_users if of_users else None, by_items


@dataclass(frozen=True)
class _Block:
    """Some of the users [B] with their held-out pairs [N] and their training pairs, each by row of
    the block and item."""

    users: Tensor
    rows: Tensor
    items: Tensor
    known_rows: Tensor
    known_items: Tensor
    widths: Tensor
    """``w_u`` of each held-out pair [N]."""
    weights: Tensor
    """Share of each held-out pair in the goal [N]."""


def kth_largest(scores_BI: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k-th largest score of each row [B], and an item that has it [B].

    On the CPU by NumPy's partition, which is several times faster than sorting out the top k.
    """
    if scores_BI.device.type != "cpu":
        best = torch.topk(scores_BI, k, dim=1)
        return best.values[:, -1], best.indices[:, -1]
    scores = scores_BI.numpy()
    place = scores.shape[1] - k
    last_B = np.partition(scores, place, axis=1)[:, place]
    return torch.from_numpy(last_B), torch.from_numpy((scores == last_B[:, None]).argmax(axis=1))


def _pairs(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each entry, row by row, int64."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return rows, matrix.indices.astype(np.int64)


def _nothing_held_out(model: ModelUnderTest, split: Split) -> str:
    return (
        f"dataset '{model.dataset.name}' has no {split} interactions, so an attack cannot aim at "
        "them; choose the goal untargeted, or read the dataset with another split."
    )
