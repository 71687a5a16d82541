"""Which flatness measures move under which rewriting of the factors: what comes back.

Legend: C transformed copies (the first is the run as it is), M measures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result
from engine.geometry.curvature.measures import title_of

COMPARABLE = 0.01
"""A measure may be compared between runs where no transformation changes it by more."""


@dataclass(frozen=True)
class Symmetry(Result):
    """Flatness measures of one recommender written down in several ways."""

    kind: ClassVar[str] = "symmetry"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "values_MC": ("measure", "copy"),
        "errors_MC": ("measure", "copy"),
        "score_changes_C": ("copy",),
    }
    units: ClassVar[dict[str, str]] = {
        "values_MC": "each measure's own unit",
        "errors_MC": "standard error, in each measure's own unit",
        "score_changes_C": "largest change of a centred, calibrated score over the largest",
    }

    label: str
    run: str
    transformations: list[str]
    """Of each copy: scale, rotation, mixing, temperature or shift; 'none' for the run as it is."""
    parameters: list[str]
    """Which of its kind each copy is, in words."""
    measures: list[str]
    values_MC: np.ndarray
    """NaN where a measure is not defined."""
    errors_MC: np.ndarray
    """Standard errors of sampled measures; 0 for the others."""
    score_changes_C: np.ndarray
    """Of each user's scores less their mean, divided by the temperature; rounding alone makes it
    differ from 0."""
    unconverged: list[str] = field(default_factory=list)
    """What did not reach its tolerance in some copy."""
    notes: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    @property
    def changes_MC(self) -> np.ndarray:
        """Each value's change relative to the run as it is: ``|value / own - 1|``."""
        own_M1 = self.values_MC[:, :1]
        with np.errstate(divide="ignore", invalid="ignore"):
            changes_MC: np.ndarray = np.abs(self.values_MC / own_M1 - 1)
        return changes_MC

    @property
    def largest_changes(self) -> dict[str, dict[str, float]]:
        """The largest relative change of each measure under each transformation."""
        kinds = [name for name in dict.fromkeys(self.transformations) if name != "none"]
        is_of = {kind: np.array(self.transformations) == kind for kind in kinds}
        return {
            measure: {kind: float(row[is_of[kind]].max()) for kind in kinds}
            for measure, row in zip(self.measures, self.changes_MC, strict=True)
        }

    @property
    def moved_by(self) -> dict[str, list[str]]:
        """Which transformations change each measure by more than 1 %.

        A sampled measure counts as moved where it changes by more than three standard errors too.
        """
        own_M1, own_error_M1 = self.values_MC[:, :1], self.errors_MC[:, :1]
        noise_MC = 3 * np.hypot(self.errors_MC, own_error_M1) / np.abs(own_M1)
        moves_MC = ~(self.changes_MC <= np.maximum(COMPARABLE, noise_MC))
        kinds = np.array(self.transformations)
        return {
            measure: list(dict.fromkeys(kinds[row].tolist()))
            for measure, row in zip(self.measures, moves_MC, strict=True)
        }

    @property
    def comparable(self) -> list[str]:
        """Measures that all transformations left within 1 %."""
        return [
            measure
            for measure, row in zip(self.measures, self.changes_MC, strict=True)
            if bool((row <= COMPARABLE).all())
        ]

    def change_frame(self) -> pd.DataFrame:
        """One row a measure: run, label, measure, each transformation's largest relative change,
        may_be_compared."""
        rows = [
            {"run": self.run, "label": self.label, "measure": measure, **changes}
            for measure, changes in self.largest_changes.items()
        ]
        comparable = self.comparable
        return pd.DataFrame(rows).assign(may_be_compared=[m in comparable for m in self.measures])

    def to_frame(self) -> pd.DataFrame:
        """One row a copy and measure: run, label, transformation, parameter, score_change, measure,
        value, standard_error, relative_change."""
        m, c = np.indices(self.values_MC.shape).reshape(2, -1)
        return pd.DataFrame(
            {
                "run": self.run,
                "label": self.label,
                "transformation": np.array(self.transformations, dtype=object)[c],
                "parameter": np.array(self.parameters, dtype=object)[c],
                "score_change": self.score_changes_C[c],
                "measure": np.array(self.measures, dtype=object)[m],
                "value": self.values_MC.reshape(-1),
                "standard_error": self.errors_MC.reshape(-1),
                "relative_change": self.changes_MC.reshape(-1),
            }
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        return {"": self.change_frame(), "copies": self.to_frame()}

    def plain(self) -> dict[str, Any]:
        return {"measures": self.largest_changes, "may_be_compared": self.comparable}

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        stays = ", ".join(title_of(name) for name in self.comparable) or "none"
        unsure = ", ".join(self.unconverged)
        return (
            f"{self.label or self.run or 'The run'}, its factors taken as the weights and written "
            "down anew in ways that leave every user's order of items as it is (scores, centred "
            f"and calibrated, differ by at most {self.score_changes_C.max():.1g} of the largest, "
            "by rounding). A measure that changes says how the factors are written down, not what "
            f"the model does. Within {COMPARABLE:.0%} under all: {stays}. That alone does not make "
            "them predict anything."
            + "".join(f" {note}." for note in self.notes)
            + (f" Not within tolerance when the products ran out: {unsure}." if unsure else "")
        )
