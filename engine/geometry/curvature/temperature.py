"""The temperature that calibrates a run's scores: one number, fitted on validation triples.

Scores mean nothing by their size: T times a score gives every ranking as it is. The T that
minimises the BPR loss of held-out triples at scores ``T s`` fixes the size by the data.

Legend: T triples, U users, I items, D factor width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.data import Dataset
from engine.geometry.ranking_loss import margins_of
from engine.geometry.triples import frozen_triples


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature, or why there is none."""

    value: float | None
    reason: str = ""
    """Why no positive finite temperature minimises the loss; empty where one does."""

    @property
    def factor(self) -> float:
        """What user factors are multiplied by: the temperature, or 1 where there is none."""
        return 1.0 if self.value is None else self.value


def fit_temperature(
    users_UD: Tensor, items_ID: Tensor, dataset: Dataset, seed: int = 0
) -> Temperature:
    """The T > 0 with the least mean ``softplus(-T (s_ui - s_uj))`` over all validation pairs.

    Each pair has one fixed negative, drawn by ``seed``.
    """
    if not len(dataset.valid):
        return Temperature(None, f"dataset '{dataset.name}' has no validation interactions")
    triples = frozen_triples(dataset, None, seed, "valid", users_UD.device)
    return temperature_of(margins_of(users_UD, items_ID, triples))


def temperature_of(margins_T: Tensor) -> Temperature:
    """The T > 0 that minimises the mean ``softplus(-T m)`` of margins m, to 10 digits.

    The loss is convex in T: Newton's steps, held within a bracket of the minimum.
    """
    margins = margins_T.detach().cpu().double()
    size = float(margins.square().mean().sqrt())
    if not size > 0 or float(margins.mean()) <= 0:
        return Temperature(None, "validation triples are ordered no better than by chance")
    if float(margins.min()) >= 0:
        return Temperature(None, "every validation triple is ordered right at any temperature")
    # In units of their own size, so that the steps do not know the scale of the scores.
    unit_T = margins / size
    t, low, high = 1.0, 0.0, math.inf
    for _ in range(200):
        p_T = torch.sigmoid(-t * unit_T)
        slope = -float((unit_T * p_T).mean())
        bend = float((unit_T.square() * p_T * (1 - p_T)).mean())
        low, high = (t, high) if slope < 0 else (low, t)
        step = t - slope / bend if bend > 0 else math.inf
        if not low < step < high:
            step = 2 * t if math.isinf(high) else (low + high) / 2
        if abs(step - t) <= 1e-12 * t:
            break
        t = step
    return Temperature(t / size)
