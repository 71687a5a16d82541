"""Losses and recall along two curves between two runs: what comes back.

Legend: C curves (straight, Bezier), T places along a curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result

CURVES = ["straight line", "Bezier curve"]


@dataclass(frozen=True)
class ModePath(Result):
    """Losses along the straight line and the Bezier curve between two runs."""

    kind: ClassVar[str] = "mode_path"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "places_T": ("place",),
        "train_loss_CT": ("curve", "place"),
        "valid_loss_CT": ("curve", "place"),
        "valid_recall_CT": ("curve", "place"),
    }
    units: ClassVar[dict[str, str]] = {
        "places_T": "share of the way, 0 to 1",
        "train_loss_CT": "nats a triple",
        "valid_loss_CT": "nats a triple",
        "valid_recall_CT": "0 to 1",
    }

    places_T: np.ndarray
    train_loss_CT: np.ndarray
    valid_loss_CT: np.ndarray
    valid_recall_CT: np.ndarray
    """Recall@cutoff of validation items, train items left out. Both are NaN where the dataset has
    no validation pairs."""
    cutoff: int
    curves: list[str]
    labels: list[str]
    runs: list[str]

    @property
    def barriers(self) -> dict[str, float]:
        """Each curve's highest train loss above the straight interpolation of its ends' losses."""
        ends = self.train_loss_CT[:, :1], self.train_loss_CT[:, -1:]
        level_CT = (1 - self.places_T) * ends[0] + self.places_T * ends[1]
        rises = (self.train_loss_CT - level_CT).max(axis=1)
        return dict(zip(self.curves, rises.tolist(), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """One row a curve and place: curve, place, train_loss, valid_loss, valid_recall."""
        n = len(self.places_T)
        return pd.DataFrame(
            {
                "curve": np.repeat(self.curves, n),
                "place": np.tile(self.places_T, len(self.curves)),
                "train_loss": self.train_loss_CT.reshape(-1),
                "valid_loss": self.valid_loss_CT.reshape(-1),
                "valid_recall": self.valid_recall_CT.reshape(-1),
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        heights = ", ".join(f"{name} {height:.3g}" for name, height in self.barriers.items())
        return (
            f"Loss and validation recall@{self.cutoff} along two ways from {self.labels[0]} to "
            f"{self.labels[1]}, on the same frozen triples and users; barriers in train loss "
            f"(nats): {heights}. Factors may be turned and rescaled without changing a score, so a "
            "high barrier on the straight line does not prove that the two rank differently; a "
            "low one on a trained curve shows that a way exists, not that training finds it. The "
            "curve itself is trained, so between its ends it may lie below both of them."
        )
