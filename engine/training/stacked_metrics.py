"""Validation of several seeds: small catalogues ranked by plain comparison, metrics in one go."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset
from engine.evaluation import metrics_of_hits
from engine.evaluation.screening import blocks, entries

RANKED_AT_A_TIME = 1 << 18
"""Scores that are compared at a time; a megabyte of them stays in the cache."""


def metrics_of_seeds(
    users_SUD: Tensor, items_SID: Tensor, dataset: Dataset, cutoffs: tuple[int, ...]
) -> list[dict[str, float]]:
    """Validation metrics of each seed, as ``evaluate(...).means()`` gives for each alone."""
    relevant = dataset.matrix("valid")
    users = np.flatnonzero(np.diff(relevant.indptr))
    counts_U = np.diff(relevant.indptr)[users]
    n_seeds, n_items = len(users_SUD), dataset.n_items
    k = min(max(cutoffs), n_items)
    hits_SUK = np.zeros((n_seeds, len(users), k), dtype=bool)
    rows, items = entries(relevant, users)
    known_rows, known_items = entries(dataset.matrix("train"), users)
    chosen = torch.from_numpy(users).to(users_SUD.device)
    for s, (user_UD, item_ID) in enumerate(
        zip(users_SUD.detach(), items_SID.detach(), strict=True)
    ):
        # NumPy compares a row with one number, and adds bytes, several times faster than torch.
        scores_UI = (user_UD[chosen] @ item_ID.T).cpu().numpy()
        scores_UI[known_rows, known_items] = -np.inf
        for part_P in blocks(len(rows), max(1, RANKED_AT_A_TIME // n_items)):
            row_P, item_P = rows[part_P], items[part_P]
            own_P1 = scores_UI[row_P, item_P][:, None]
            rivals_PI = scores_UI[row_P]
            rank_P = count_true(rivals_PI > own_P1)
            near = np.flatnonzero((rank_P < k) & (own_P1[:, 0] > -np.inf))
            level_N = count_true(rivals_PI[near] == own_P1[near])
            for p in near[level_N > 1]:
                rank_P[p] += np.count_nonzero(rivals_PI[p, : item_P[p]] == own_P1[p])
            near = near[rank_P[near] < k]
            hits_SUK[s, row_P[near], rank_P[near]] = True
    values = metrics_of_hits(hits_SUK.reshape(-1, k), np.tile(counts_U, n_seeds), cutoffs)
    means = {name: v.reshape(n_seeds, -1).mean(axis=1).tolist() for name, v in values.items()}
    return [{name: mean[s] for name, mean in means.items()} for s in range(n_seeds)]


def count_true(flags: np.ndarray) -> np.ndarray:
    """How many entries of each row are true."""
    return flags.view(np.uint8).sum(axis=1, dtype=np.int32)
