"""Ranking metrics: full ranking over all items, and against sampled negatives.

Definitions: science of the field as in MMRec and ir-measures. With hits among the top k and
``r`` relevant items of a user: Recall@k = hits / r; Precision@k = hits / k; HR@k = any hit;
NDCG@k with binary gains and IDCG over min(k, r); MAP@k divided by min(k, r).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from engine.data import Dataset, Split
from engine.evaluation.screening import (
    CHUNK,
    PAIRS_AT_ONCE,
    ChunkedScores,
    best_items,
    blocks,
    entries,
    hide,
    ranks_of_pairs,
)
from engine.foundation.config import Config
from engine.foundation.errors import ConfigError

METRICS = ("recall", "ndcg", "precision", "map", "hr")
Metric = Literal["recall", "ndcg", "precision", "map", "hr"]


class EvaluationConfig(Config):
    """How a ranking is evaluated."""

    cutoffs: tuple[int, ...] = Field(default=(5, 10, 20, 50), min_length=1)
    """The k of each metric@k, in items."""
    block: int = Field(default=2048, ge=1)
    """Users scored at a time; bounds memory at block x n_items scores."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of each evaluated user; ``values['recall@20']`` has shape [len(users)]."""

    users: np.ndarray
    values: dict[str, np.ndarray]

    def means(self) -> dict[str, float]:
        """Each metric averaged over users."""
        return {name: float(v.mean()) if len(v) else 0.0 for name, v in self.values.items()}


def evaluate(
    user_factors: Tensor,
    item_factors: Tensor,
    dataset: Dataset,
    split: Split,
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Full ranking of all items, the user's train items left out, for users with relevant items.

    ``user_factors`` [n_users, D] and ``item_factors`` [n_items, D] give scores as inner products.
    Of items with equal scores the one with the lower id ranks first. An item whose score is not a
    number is not ranked.
    """
    config = config or EvaluationConfig()
    relevant = dataset.matrix(split)
    users = np.flatnonzero(np.diff(relevant.indptr))
    k = max(config.cutoffs)
    hits_UK = hits_among_top(user_factors, item_factors, dataset, users, split, k, config)
    counts_U = np.diff(relevant.indptr)[users]
    return Evaluation(users, metrics_of_hits(hits_UK, counts_U, config.cutoffs))


def hits_among_top(
    user_factors: Tensor,
    item_factors: Tensor,
    dataset: Dataset,
    users: np.ndarray,
    split: Split,
    k: int,
    config: EvaluationConfig | None = None,
) -> np.ndarray:
    """Which of the k best items of each user are relevant: bool [len(users), min(k, n_items)].

    ``is_relevant`` of ``top_items``, but faster, as only relevant items are ranked.
    """
    config = config or EvaluationConfig()
    k = min(k, dataset.n_items)
    hits_UK = np.zeros((len(users), k), dtype=bool)
    with torch.no_grad():
        rows, ranks = ranks_of_pairs(
            user_factors.detach(),
            item_factors.detach(),
            dataset.matrix("train"),
            dataset.matrix(split),
            users,
            k,
            config.block,
        )
    hits_UK[rows, ranks] = True
    return hits_UK


def top_items(
    user_factors: Tensor,
    item_factors: Tensor,
    dataset: Dataset,
    users: np.ndarray,
    k: int,
    config: EvaluationConfig | None = None,
) -> np.ndarray:
    """The k best items of each given user, train items left out: int64 [len(users), k].

    Where fewer than k items are left, the row ends in -1. Ties as in ``evaluate``.
    """
    config = config or EvaluationConfig()
    k = min(k, dataset.n_items)
    train = dataset.matrix("train")
    ranked_UK = np.empty((len(users), k), dtype=np.int64)
    with torch.no_grad():
        user_UD = user_factors.detach()
        scores_of = ChunkedScores(item_factors.detach(), min(config.block, len(users)), CHUNK)
        for part in blocks(len(users), config.block):
            chosen = users[part]
            scores_BI = scores_of.of(user_UD[torch.from_numpy(chosen).to(user_UD.device)])
            hide(scores_BI, train, chosen)
            ranked_UK[part] = best_items(scores_of, scores_BI, k).cpu().numpy()
    return ranked_UK


def is_relevant(
    ranked_UK: np.ndarray, users: np.ndarray, dataset: Dataset, split: Split
) -> np.ndarray:
    """Whether each ranked item is one of the user's in ``split``: bool [len(users), K]."""
    flags_UK = np.zeros(ranked_UK.shape, dtype=bool)
    rows, items = entries(dataset.matrix(split), users)
    for part in blocks(len(rows), PAIRS_AT_ONCE):
        pair, place = np.nonzero(ranked_UK[rows[part]] == items[part, None])
        flags_UK[rows[part][pair], place] = True
    return flags_UK


def metrics_of_hits(
    hits_UK: np.ndarray, relevant_U: np.ndarray, cutoffs: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """All metrics per user from hit flags in rank order [U, K] and relevant counts [U].

    Raises ConfigError for a cutoff below 1. A cutoff above K sees K ranks.
    """
    if min(cutoffs) < 1:
        raise ConfigError(f"cutoffs are {cutoffs}; each must be at least 1 item.")
    K = hits_UK.shape[1]
    gains = 1.0 / np.log2(np.arange(2, K + 2))
    hits = hits_UK.astype(np.float64)
    found_UK = np.cumsum(hits, axis=1)
    dcg_UK = np.cumsum(hits * gains, axis=1)
    precisions_UK = np.cumsum(hits * found_UK / np.arange(1, K + 1), axis=1)
    longest = max(int(relevant_U.max(initial=1)), max(cutoffs))
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, longest + 2)))
    values: dict[str, np.ndarray] = {}
    for k in cutoffs:
        last = min(k, K) - 1
        within_U = np.minimum(relevant_U, k)
        values[f"recall@{k}"] = found_UK[:, last] / relevant_U
        values[f"ndcg@{k}"] = dcg_UK[:, last] / ideal[within_U - 1]
        values[f"precision@{k}"] = found_UK[:, last] / k
        values[f"map@{k}"] = precisions_UK[:, last] / within_U
        values[f"hr@{k}"] = (found_UK[:, last] > 0).astype(np.float64)
    return values
