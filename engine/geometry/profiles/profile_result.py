"""The loss of one run along single directions.

Legend: X points along a direction, N random directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result


@dataclass(frozen=True)
class Profile(Result):
    """Losses at calibrated temperature along the run's own sharpest direction and random ones.

    Distances are lengths in the metric of ``engine.geometry.curvature.invariant_metric``: the root
    of the summed mean square changes of the users' centred scores, to first order.
    """

    kind: ClassVar[str] = "profile"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "distances_X": ("point",),
        "sharpest_X": ("point",),
        "random_NX": ("direction", "point"),
    }
    units: ClassVar[dict[str, str]] = {
        "distances_X": "calibrated score",
        "sharpest_X": "nats a triple",
        "random_NX": "nats a triple",
    }

    distances_X: np.ndarray
    """Signed distance from the run's weights; empty where no temperature calibrates its scores."""
    sharpest_X: np.ndarray
    random_NX: np.ndarray
    label: str
    run: str
    eigenvalue: float
    """Of the sharpest direction: nats per squared unit of calibrated score; NaN where unknown."""
    doubling_distance: float
    """Where the loss along the sharpest direction is twice its minimum along it; NaN if unknown."""
    n_triples: int
    reason: str = ""
    """Why there is no profile; '' where there is one."""

    @property
    def minimum(self) -> float:
        """The least loss along the sharpest direction."""
        return float(self.sharpest_X.min()) if len(self.sharpest_X) else float("nan")

    @property
    def parabola_X(self) -> np.ndarray:
        """``minimum + eigenvalue / 2 * d^2`` with d the distance from the minimum."""
        if not len(self.distances_X):
            return self.distances_X
        lowest = self.distances_X[int(self.sharpest_X.argmin())]
        parabola_X: np.ndarray = (
            self.minimum + self.eigenvalue / 2 * (self.distances_X - lowest) ** 2
        )
        return parabola_X

    def to_frame(self) -> pd.DataFrame:
        """One row a direction and point: run, label, direction, distance, loss, rise."""
        names = ["sharpest", *(f"random {n}" for n in range(len(self.random_NX)))]
        values = [self.sharpest_X, *self.random_NX]
        frames = [
            pd.DataFrame(
                {"run": self.run, "label": self.label, "direction": name,
                 "distance": self.distances_X, "loss": loss_X, "rise": loss_X - loss_X.min()}
            )
            for name, loss_X in zip(names, values, strict=True)
            if len(loss_X)
        ]  # fmt: skip
        columns = ["run", "label", "direction", "distance", "loss", "rise"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        if self.reason:
            return f"No profile of {self.label}: {self.reason}."
        return (
            f"Mean loss of {self.n_triples:,} frozen training triples, scores calibrated on "
            "validation triples, along the direction in which the loss bends most for the change "
            "of scores it makes (top Gauss-Newton eigenvector in the score metric). Distance: size "
            "of the change of the users' scores; scaling, rotating or mixing the factors moves "
            "none of this. One direction of very many: a flat profile proves no robustness."
        )
