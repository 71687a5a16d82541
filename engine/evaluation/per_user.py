"""Metrics of each user, kept so that two runs can be compared user by user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.evaluation.ranking_metrics import Evaluation
from engine.foundation.result import Result


@dataclass(frozen=True)
class UserMetrics(Result):
    """Every metric of every user with relevant items in one split, at the chosen epoch."""

    kind: ClassVar[str] = "user-metrics"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "users_U": ("user",),
        "values_MU": ("metric", "user"),
    }
    units: ClassVar[dict[str, str]] = {"values_MU": "share, 0 to 1"}

    users_U: np.ndarray
    values_MU: np.ndarray
    metrics: list[str]
    split: str

    @classmethod
    def of(cls, evaluation: Evaluation, split: str) -> UserMetrics:
        """Keep an evaluation of one split."""
        names = list(evaluation.values)
        values = np.stack([evaluation.values[n] for n in names]).astype(np.float32)
        return cls(evaluation.users, values, names, split)

    def values(self, metric: str) -> np.ndarray:
        """One metric of every user [U]; raises KeyError naming what there is."""
        if metric not in self.metrics:
            raise KeyError(f"'{metric}' was not kept; there are {', '.join(self.metrics)}.")
        return self.values_MU[self.metrics.index(metric)].astype(np.float64)

    def to_frame(self) -> pd.DataFrame:
        """One row a user, one column a metric."""
        return pd.DataFrame(self.values_MU.T, columns=self.metrics).assign(user=self.users_U)
