"""Ranking a held-out positive against sampled negatives, as AMR reports it (section 4.1.2).

Sampled metrics are not comparable with full ranking, nor between numbers of negatives.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset, Split
from engine.evaluation.ranking import Evaluation
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator


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
    score, so ties count against the model. Negatives are drawn without replacement from items the
    user has in no split; fewer are drawn where fewer are left.

    Raises ConfigError where ``n_negatives`` < 1 or a user has interacted with every item.
    """
    if n_negatives < 1:
        raise ConfigError(f"n_negatives is {n_negatives}; at least 1 is needed.")
    pairs = dataset.interactions(split)
    seen = sum(dataset.matrix(s) for s in ("train", "valid", "test")).tocsr()
    ranks = np.empty(len(pairs), dtype=np.int64)
    order = np.argsort(pairs.users, kind="stable")
    random = numpy_generator(seed, "sampled negatives")
    with torch.no_grad():
        for user in np.unique(pairs.users):
            rows = order[
                np.searchsorted(pairs.users[order], user) : np.searchsorted(
                    pairs.users[order], user, side="right"
                )
            ]
            unseen = np.ones(dataset.n_items, dtype=bool)
            unseen[seen.indices[seen.indptr[user] : seen.indptr[user + 1]]] = False
            candidates = np.flatnonzero(unseen)
            if len(candidates) == 0:
                raise ConfigError(f"user {user} has interacted with every item; none is negative.")
            scores = (item_factors @ user_factors[user]).cpu().numpy()
            for row in rows:
                count = min(n_negatives, len(candidates))
                negatives = random.choice(candidates, count, replace=False, shuffle=False)
                ranks[row] = int((scores[negatives] >= scores[pairs.items[row]]).sum())
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        hit = ranks < k
        values[f"hr@{k}"] = hit.astype(np.float64)
        values[f"ndcg@{k}"] = np.where(hit, 1.0 / np.log2(ranks + 2.0), 0.0)
    return Evaluation(pairs.users.copy(), values)
