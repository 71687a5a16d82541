"""Ranking a held-out positive against sampled negatives, as AMR reports it (section 4.1.2).

Sampled metrics are not comparable with full ranking, nor between numbers of negatives.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset, Split
from engine.evaluation.ranking_metrics import Evaluation
from engine.evaluation.screening import blocks, entries
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator

USERS_AT_ONCE = 512


def evaluate_sampled(
    user_factors: Tensor,
    item_factors: Tensor,
    dataset: Dataset,
    split: Split,
    cutoffs: tuple[int, ...] = (5, 10, 20, 50),
    n_negatives: int = 999,
    seed: int = 0,
) -> Evaluation:
    """HR@k and NDCG@k of each positive of ``split`` against ``n_negatives`` unseen items.

    One row a (user, positive) pair. rank = number of negatives scoring at least the positive's
    score, so ties count against the model, as does a score that is not a number. Negatives are
    drawn without replacement from items the user has in no split; fewer where fewer are left.

    Raises ConfigError where ``n_negatives`` < 1 or a user has interacted with every item.
    """
    if n_negatives < 1:
        raise ConfigError(f"n_negatives is {n_negatives}; at least 1 is needed.")
    pairs = dataset.interactions(split)
    seen = sum(dataset.matrix(s) for s in ("train", "valid", "test")).tocsr()
    order = np.argsort(pairs.users, kind="stable")
    users, firsts = np.unique(pairs.users[order], return_index=True)
    rows_of = np.split(order, firsts[1:])
    full = users[np.diff(seen.indptr)[users] == dataset.n_items]
    if len(full) > 0:
        raise ConfigError(
            f"user {full[0]} has interacted with every item, so no negative is left for it; rank "
            "all items instead."
        )
    ranks = np.empty(len(pairs), dtype=np.int64)
    random = numpy_generator(seed, "sampled negatives")
    for part in blocks(len(users), USERS_AT_ONCE):
        scores_BI = _scores(user_factors, item_factors, users[part])
        hidden_BI = np.zeros(scores_BI.shape, dtype=bool)
        hidden_BI[entries(seen, users[part])] = True
        for scores, hidden, rows in zip(scores_BI, hidden_BI, rows_of[part], strict=True):
            unseen = scores[~hidden]
            count = min(n_negatives, len(unseen))
            for row, bar in zip(rows, scores[pairs.items[rows]], strict=True):
                negatives = random.choice(len(unseen), count, replace=False, shuffle=False)
                ranks[row] = count - np.count_nonzero(unseen[negatives] < bar)
    return _from_ranks(pairs.users, ranks, cutoffs)


def evaluate_released(
    user_factors: Tensor,
    item_factors: Tensor,
    dataset: Dataset,
    negatives: np.ndarray,
    cutoffs: tuple[int, ...] = (5, 10, 20, 50),
) -> Evaluation:
    """HR@k and NDCG@k of each test positive against fixed negatives, int [n_users, N] items.

    The protocol of AMR's released data: rank = number of the user's negatives scoring at least the
    positive's score. One row a (user, positive) pair.
    """
    pairs = dataset.test
    ranks = np.empty(len(pairs), dtype=np.int64)
    for part in blocks(len(pairs), USERS_AT_ONCE):
        users, items = pairs.users[part], pairs.items[part]
        scores_BI = _scores(user_factors, item_factors, users)
        bars = np.take_along_axis(scores_BI, items[:, None], axis=1)
        against = np.take_along_axis(scores_BI, negatives[users], axis=1)
        ranks[part] = negatives.shape[1] - np.count_nonzero(against < bars, axis=1)
    return _from_ranks(pairs.users, ranks, cutoffs)


def _from_ranks(users: np.ndarray, ranks: np.ndarray, cutoffs: tuple[int, ...]) -> Evaluation:
    """HR@k and NDCG@k of positives at ranks [N] from 0."""
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        hit = ranks < k
        values[f"hr@{k}"] = hit.astype(np.float64)
        values[f"ndcg@{k}"] = np.where(hit, 1.0 / np.log2(ranks + 2.0), 0.0)
    return Evaluation(users.copy(), values)


def _scores(user_factors: Tensor, item_factors: Tensor, users: np.ndarray) -> np.ndarray:
    """Scores of some users against all items, on the CPU: [B, n_items]."""
    with torch.no_grad():
        chosen = torch.tensor(users, device=user_factors.device)
        return (user_factors[chosen] @ item_factors.T).cpu().numpy()
