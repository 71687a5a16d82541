"""Curvature along a run's training: what comes back.

Legend: N snapshots, M measures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result


@dataclass(frozen=True)
class TrainingCurvature(Result):
    """Flatness measures of one run at weights kept along its training."""

    kind: ClassVar[str] = "training_curvature"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "epochs_N": ("snapshot",),
        "values_MN": ("measure", "snapshot"),
        "losses_N": ("snapshot",),
        "gradient_norms_N": ("snapshot",),
        "temperatures_N": ("snapshot",),
    }
    units: ClassVar[dict[str, str]] = {
        "epochs_N": "epochs, from 1",
        "values_MN": "each measure's own unit",
        "losses_N": "nats a triple",
        "gradient_norms_N": "nats a triple per unit of weight",
    }

    label: str
    run: str
    measures: list[str]
    epochs_N: np.ndarray
    """At whose end the weights were kept."""
    values_MN: np.ndarray
    """NaN where a measure is not defined, e.g. while validation triples are ordered by chance."""
    losses_N: np.ndarray
    gradient_norms_N: np.ndarray
    temperatures_N: np.ndarray
    """What calibrates the scores of the invariant measures; NaN where there is none."""
    unconverged: list[str] = field(default_factory=list)
    """What did not reach its tolerance at some snapshot."""

    def to_frame(self) -> pd.DataFrame:
        """One row a snapshot: run, label, epoch, loss, gradient_norm, temperature, and a column for
        each measure."""
        return pd.DataFrame(
            {
                "run": self.run,
                "label": self.label,
                "epoch": self.epochs_N,
                "loss": self.losses_N,
                "gradient_norm": self.gradient_norms_N,
                "temperature": self.temperatures_N,
                **dict(zip(self.measures, self.values_MN, strict=True)),
            }
        )

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        unsure = ", ".join(self.unconverged)
        return (
            f"{self.label or self.run or 'The run'} at {len(self.epochs_N)} snapshots of its "
            "training, ranking loss on the same fixed training triples. A raw eigenvalue that "
            "grows may only tell that scores grow; the invariant ones do not see that."
            + (f" Not within tolerance at some snapshot: {unsure}." if unsure else "")
        )
