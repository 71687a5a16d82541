"""How present chosen items are in users' lists: what promotion and demotion are judged by.

Shapes: E evaluated users, I items, T targets.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.robustness.perturbed_model.perturbed_factors import FactorChange
from engine.robustness.perturbed_model.perturbed_ranking import Ranking


def exposure_metrics(cutoffs: tuple[int, ...]) -> list[str]:
    """The names of ``Exposure.metrics``, in its order."""
    return [f"{name}@{k}" for k in cutoffs for name in ("entered", "chr")] + ["target_rank"]


class Exposure:
    """Target items in the lists of a ranking's users; a user's own train items never count."""

    def __init__(self, ranking: Ranking, targets: np.ndarray) -> None:
        self.ranking = ranking
        self.targets = torch.from_numpy(targets).to(ranking.model.device)
        train = ranking.model.dataset.matrix("train")[ranking.users][:, targets]
        self.is_new_ET = torch.from_numpy(train.toarray() == 0).to(self.targets.device)

    def ranks(self, change: FactorChange | None = None) -> Tensor:
        """Rank from 0 of each target for each user, int64 [E, T]; ties count against it."""
        ranking = self.ranking
        users, items = ranking.clean_users, ranking.model.clean_factors[1]
        if change is not None:
            items = ranking.items_after(change)
            if change.user_factors is not None:
                users = change.user_factors.index_select(0, ranking.user_ids)
        parts = []
        for start in range(0, len(ranking.users), ranking.block):
            scores_BI = ranking.scores(users, items, start)
            ordered = scores_BI.sort(dim=1).values
            below = torch.searchsorted(ordered, scores_BI[:, self.targets].contiguous())
            parts.append(scores_BI.shape[1] - 1 - below)
        return torch.cat(parts)

    def metrics(self, ranks_ET: Tensor) -> dict[str, float]:
        """Means over users and targets.

        ``entered@k``: share of users without the target in train whose top k holds it;
        ``target_rank``: mean rank from 1 over those users; ``chr@k``: share of all top-k places
        held by targets (Category Hit Ratio, Di Noia et al., TAaMR, 2020).
        """
        ranks = torch.where(self.is_new_ET, ranks_ET, self.ranking.model.dataset.n_items)
        count = max(int(self.is_new_ET.sum()), 1)
        values: dict[str, float] = {}
        for k in self.ranking.cutoffs:
            listed = int((ranks < k).sum())
            values[f"entered@{k}"] = listed / count
            values[f"chr@{k}"] = listed / (len(ranks) * k)
        values["target_rank"] = float((ranks_ET[self.is_new_ET] + 1).double().mean())
        return values
