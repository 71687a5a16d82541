"""How the loss rises around each run's weights: what comes back.

Legend: R runs, X distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result

DIRECTIONS = ("sharpest", "random mean", "random low", "random high")


@dataclass(frozen=True)
class LossProfiles(Result):
    """Rise of the training loss above its value at the weights, along straight lines."""

    kind: ClassVar[str] = "loss_profiles"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "distances_X": ("distance",),
        "sharpest_RX": ("run", "distance"),
        "random_mean_RX": ("run", "distance"),
        "random_low_RX": ("run", "distance"),
        "random_high_RX": ("run", "distance"),
        "losses_R": ("run",),
        "slopes_R": ("run",),
        "eigenvalues_R": ("run",),
        "doubling_R": ("run",),
        "temperatures_R": ("run",),
    }
    units: ClassVar[dict[str, str]] = {
        "distances_X": "length of the score change",
        "sharpest_RX": "nats a triple",
        "random_mean_RX": "nats a triple",
        "random_low_RX": "nats a triple",
        "random_high_RX": "nats a triple",
        "losses_R": "nats a triple",
        "slopes_R": "nats / score",
        "eigenvalues_R": "nats / score²",
        "doubling_R": "length of the score change",
        "temperatures_R": "1",
    }

    distances_X: np.ndarray
    sharpest_RX: np.ndarray
    """Along each run's own sharpest direction."""
    random_mean_RX: np.ndarray
    """Mean over random directions; low and high are their 5th and 95th percentiles."""
    random_low_RX: np.ndarray
    random_high_RX: np.ndarray
    losses_R: np.ndarray
    """The calibrated training loss at the weights."""
    slopes_R: np.ndarray
    """Slope at the weights along the sharpest direction: not 0 where training stopped early."""
    eigenvalues_R: np.ndarray
    """Curvature along the sharpest direction: the invariant top eigenvalue."""
    doubling_R: np.ndarray
    """The nearest distance, either way along the sharpest direction, at which the loss has doubled;
    NaN where it does not within 64 of them."""
    temperatures_R: np.ndarray
    """NaN where no temperature calibrates the scores, so that they are taken as they are."""
    labels: list[str]
    runs: list[str]

    def parabolas(self) -> np.ndarray:
        """``slope t + eigenvalue t^2 / 2`` of each run [R, X]."""
        t_X = self.distances_X
        return self.slopes_R[:, None] * t_X + self.eigenvalues_R[:, None] * t_X**2 / 2

    def to_frame(self) -> pd.DataFrame:
        """One row a run, direction and distance: run, label, direction, distance, rise."""
        n_runs, n = self.sharpest_RX.shape
        rises = (self.sharpest_RX, self.random_mean_RX, self.random_low_RX, self.random_high_RX)
        frames = [
            pd.DataFrame(
                {
                    "run": np.repeat(self.runs, n),
                    "label": np.repeat(self.labels, n),
                    "direction": name,
                    "distance": np.tile(self.distances_X, n_runs),
                    "rise": rise_RX.reshape(-1),
                }
            )
            for name, rise_RX in zip(DIRECTIONS, rises, strict=True)
        ]
        return pd.concat(frames, ignore_index=True)

    def tables(self) -> dict[str, pd.DataFrame]:
        numbers = pd.DataFrame(
            {
                "run": self.runs,
                "label": self.labels,
                "loss": self.losses_R,
                "slope": self.slopes_R,
                "eigenvalue": self.eigenvalues_R,
                "doubling": self.doubling_R,
                "temperature": self.temperatures_R,
            }
        )
        return {"": self.to_frame(), "numbers": numbers}

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        n = self.config.get("n_directions", "several")
        raw = [
            name for name, t in zip(self.labels, self.temperatures_R, strict=True) if np.isnan(t)
        ]
        note = (
            f" No temperature calibrates the scores of {', '.join(raw)}, which order validation "
            "triples no better than chance: not to be compared."
        )
        return (
            "Rise of the training loss (nats a triple, at calibrated temperature, frozen triples) "
            "above its value at the weights. The axis is the length of the change of scores, so "
            "neither scaling, rotating or mixing the factors nor multiplying scores moves a curve. "
            "Lines: each run's own sharpest direction, with its parabola; bands: 5th to 95th "
            f"percentile of {n} random directions. A slope at 0 says that training stopped before "
            "a minimum. A flat profile does not prove robustness." + (note if raw else "")
        )
