"""What an attack raises, as a function of the factors, with its gradient.

Shapes: U users, I items, D factor width, T triples or target items.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from engine.objectives import Triples
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest

CHUNK = 4_096
"""Triples gathered at a time: their factors stay in the processor's cache."""
DENSE_CELLS = 60
"""Cells of the users x items table for each triple below which scoring the table is cheaper."""


class Goal(Protocol):
    """A scalar that the attack raises."""

    def value_and_gradients(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        """The value, and its gradients by the user factors [U, D] and item factors [I, D].

        The former is None where it is not asked for: most models' users see no features.
        """


class RankingLossGoal:
    """Untargeted: the BPR loss summed over frozen training triples (AMR, eq. 8).

    Test positives are never looked at: the attacker knows what the model was trained on, not whom
    it will be asked about. Where triples are dense in the users x items table, all scores are made
    at once and the gradient is one product with the table of slopes; else triples are gathered.
    """

    def __init__(self, triples: Triples) -> None:
        self.triples = triples

    def value_and_gradients(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        if len(users_UD) * len(items_ID) < DENSE_CELLS * len(self.triples):
            return self.from_table(users_UD, items_ID, of_users)
        return self.from_triples(users_UD, items_ID, of_users)

    def from_table(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        """By all scores [U, I]."""
        n_items = len(items_ID)
        scores = (users_UD @ items_ID.T).flatten()
        positives = self.triples.users * n_items + self.triples.positives
        negatives = self.triples.users * n_items + self.triples.negatives
        margins_T = scores.index_select(0, positives) - scores.index_select(0, negatives)
        slopes_T = torch.sigmoid(-margins_T)
        table = torch.zeros_like(scores)
        table.index_add_(0, positives, slopes_T, alpha=-1)
        table.index_add_(0, negatives, slopes_T)
        slopes_UI = table.view(-1, n_items)
        by_users = slopes_UI @ items_ID if of_users else None
        return _loss(margins_T), by_users, slopes_UI.T @ users_UD

    def from_triples(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        """By the factors of each triple."""
        by_users, by_items = torch.zeros_like(users_UD), torch.zeros_like(items_ID)
        value = 0.0
        for start in range(0, len(self.triples), CHUNK):
            part = self.triples.part(start, start + CHUNK)
            users_BD = users_UD.index_select(0, part.users)
            apart_BD = items_ID.index_select(0, part.positives) - items_ID.index_select(
                0, part.negatives
            )
            margins_B = (users_BD * apart_BD).sum(dim=1)
            value += _loss(margins_B)
            slopes_B = -torch.sigmoid(-margins_B)[:, None]
            if of_users:
                by_users.index_add_(0, part.users, slopes_B * apart_BD)
            pulled_BD = slopes_B * users_BD
            by_items.index_add_(0, part.positives, pulled_BD)
            by_items.index_add_(0, part.negatives, pulled_BD, alpha=-1)
        return value, by_users if of_users else None, by_items


def _loss(margins: Tensor) -> float:
    return float(torch.nn.functional.softplus(-margins).sum(dtype=torch.float64))


class ExposureGoal:
    """Targeted: lift the target items above (or push them below) each user's k-th best score.

    The value is ``-+ mean softplus(-+ (tau_u - s_ut))`` over the users who do not have the target
    in training: a BPR loss of the target against the item it must beat. ``tau_u``, the user's
    clean k-th best score among items that are neither targets nor in training, is frozen.
    """

    def __init__(self, model: ModelUnderTest, targets: Tensor, k: int, promote: bool) -> None:
        users_UD, items_ID = model.clean_factors
        train = model.dataset.matrix("train")
        n_users, n_items = model.dataset.n_users, model.dataset.n_items
        k = min(k, n_items)
        thresholds = []
        is_new = []
        for start in range(0, n_users, 2048):
            rows = train[start : start + 2048].tocoo()
            scores_BI = users_UD[start : start + 2048] @ items_ID.T
            taken = torch.zeros_like(scores_BI, dtype=torch.bool)
            taken[
                torch.from_numpy(rows.row).long().to(scores_BI.device),
                torch.from_numpy(rows.col).long().to(scores_BI.device),
            ] = True
            is_new.append(~taken[:, targets])
            taken[:, targets] = True
            best = torch.topk(scores_BI.masked_fill_(taken, -torch.inf), k, dim=1).values
            best = torch.where(best == -torch.inf, torch.inf, best)  # short lists: their last item
            thresholds.append(best.amin(dim=1))
        self.thresholds_U = torch.cat(thresholds)
        self.is_new_UT = torch.cat(is_new) & torch.isfinite(self.thresholds_U)[:, None]
        self.targets = targets
        self.promote = promote

    def value_and_gradients(
        self, users_UD: Tensor, items_ID: Tensor, of_users: bool = True
    ) -> tuple[float, Tensor | None, Tensor]:
        targets_TD = items_ID.index_select(0, self.targets)
        short_UT = self.thresholds_U[:, None] - users_UD @ targets_TD.T
        count = self.is_new_UT.sum().clamp_min(1)
        sign = 1.0 if self.promote else -1.0
        losses_UT = torch.nn.functional.softplus(sign * short_UT)
        value = -float(torch.where(self.is_new_UT, losses_UT, 0).sum(dtype=torch.float64) / count)
        slopes_UT = torch.where(self.is_new_UT, sign * torch.sigmoid(sign * short_UT), 0) / count
        by_items = torch.zeros_like(items_ID)
        by_items[self.targets] = slopes_UT.T @ users_UD
        return value, slopes_UT @ targets_TD if of_users else None, by_items
