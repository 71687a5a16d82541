"""Accuracy under the standard set of attacks: the result, and its tables.

Shapes: R runs, S strengths, A attacks, M metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from engine.foundation.result import Result
from engine.robustness.standard.masking_checks import masking_checks
from engine.robustness.standard.strategy_summary import strategy_summary
from engine.robustness.standard.tradeoff_table import tradeoff, tradeoff_means
from engine.robustness.standard.verdicts import verdicts

FILLS = ("zero", "mean")
"""What stands in for removed features: zeros, or the catalogue's mean."""


@dataclass(frozen=True)
class StandardAttacks(Result):
    """What each run scores under each attack at each strength; strength 0 is the clean model.

    Attacks that a run does not have (no plain twin) are NaN. Every tables' ``worst`` is the least
    over the attacks and over all strengths up to its own, clean among them: a smaller change is in
    the ball too.
    """

    kind: ClassVar[str] = "standard-attacks"
    axes: ClassVar[dict[str, tuple[str, ...]]] = {
        "strengths": ("strength",),
        "values": ("run", "strength", "attack", "metric"),
        "joint": ("run", "strength", "metric"),
        "noise": ("run", "strength", "metric"),
        "removed": ("run", "fill", "metric"),
        "entered": ("run", "strength"),
        "is_attackable": ("run",),
    }
    units: ClassVar[dict[str, str]] = {
        "strengths": "'unit'",
        "values": "metric, 0 to 1",
        "joint": "metric, 0 to 1",
        "noise": "metric, 0 to 1, mean over draws",
        "removed": "metric, 0 to 1",
        "entered": "share of users, 0 to 1",
        "is_attackable": "true or false",
    }

    runs: list[dict[str, Any]]
    """run (its id), label, strategy, seed, twin (label of its plain twin, or ''), is_plain (trained
    without any robust strategy), epsilon (of its adversary, or none) and sweep (all other settings
    but the seed, as text, or '')."""
    strengths: np.ndarray
    attacks: list[str]
    """Keys of ATTACK_TITLES."""
    metrics: list[str]
    values: np.ndarray
    joint: np.ndarray
    """Under PGD on a smooth Recall@k in the joint ball of all modalities; NaN where a model reads
    fewer than two."""
    noise: np.ndarray
    """Under a random direction of equal norm."""
    removed: np.ndarray
    """With the attacked features of all items replaced: by zeros, by the catalogue's mean."""
    entered: np.ndarray
    """Share of users whose list a promoted item enters, mean over the promoted items."""
    is_attackable: np.ndarray
    """Whether the run's scores see the features at all."""
    unit: str = ""
    """What strength 1 means."""
    notes: list[str] = ()  # type: ignore[assignment]  # replaced by a list when computed
    """Which attacks are missing where, and why."""

    @property
    def metric(self) -> str:
        """The metric that tables show unless told otherwise: the first, Recall@k."""
        return self.metrics[0]

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove."""
        return (
            f"{self.metric} on {self.config.get('split', 'test')} interactions under the standard "
            f"set of attacks; strength: {self.unit}. Worst: the least over the set. Reliance: "
            "clean accuracy minus the accuracy without the features (the better of zeros and the "
            "catalogue's mean); a run that keeps its accuracy and relies on nothing has unlearnt "
            "its features. The worst of a finite set bounds robustness from above only: a stronger "
            "attack may exist. " + " ".join(self.notes)
        ).strip()

    def per_run(self, metric: str = "") -> pd.DataFrame:
        """One row for each run and strength.

        Columns: those of ``runs`` but twin, is_attackable, strength, clean, noise, one for each
        attack, joint (NaN with fewer than two modalities), worst, worst_attack, removed_zero,
        removed_mean, reliance (clean minus the larger of the two removed), kept (worst as a share
        of clean) and entered. Raises KeyError for a metric not measured.
        """
        place = self._place(metric)
        names = ("run", "label", "strategy", "seed", "is_plain", "epsilon", "sweep")
        rows = []
        for r, run in enumerate(self.runs):
            values_SA = self.values[r, :, :, place]
            clean = float(values_SA[0, 0])
            lowest = np.fmin.accumulate(np.fmin(np.nanmin(values_SA, axis=1), clean))
            joint = np.fmin(np.fmin.accumulate(self.joint[r, :, place]), lowest)
            removed = self.removed[r, :, place]
            for s, strength in enumerate(self.strengths):
                row = {name: run[name] for name in names}
                row |= {"is_attackable": bool(self.is_attackable[r]), "strength": strength}
                row |= {"clean": clean, "noise": self.noise[r, s, place]}
                row |= dict(zip(self.attacks, values_SA[s], strict=True))
                row["joint"] = np.nan if np.isnan(self.joint[r, s, place]) else joint[s]
                row["worst"] = lowest[s]
                row["worst_attack"] = self._worst_attack(values_SA[: s + 1], lowest[s])
                row |= {"removed_zero": removed[0], "removed_mean": removed[1]}
                row["reliance"] = clean - max(removed)
                row["kept"] = lowest[s] / clean if clean > 0 else np.nan
                rows.append(row | {"entered": self.entered[r, s]})
        return pd.DataFrame(rows)

    def summary(self, metric: str = "") -> pd.DataFrame:
        """Means over seeds with their intervals, by strategy and strength: ``strategy_summary``."""
        return strategy_summary(self.per_run(metric), self.attacks)

    def checks(self, metric: str = "") -> pd.DataFrame:
        """Signs that attacks failed rather than that the model is robust: ``masking_checks``."""
        return masking_checks(self.per_run(metric), self.attacks, self.config["tolerance"])

    def tradeoff(self, strength: float, metric: str = "") -> pd.DataFrame:
        """Reliance against accuracy under the worst attack: ``engine.robustness.tradeoff``.

        Raises ConfigError where the strength was not measured.
        """
        return tradeoff(self.per_run(metric), strength)

    def verdicts(self, strength: float, metric: str = "") -> list[str]:
        """One sentence a strategy: what it keeps, and what it relies on."""
        return verdicts(self.per_run(metric), self.checks(metric), strength, metric or self.metric)

    def to_frame(self) -> pd.DataFrame:
        """One row for each run, strength and metric: ``per_run`` with the metric's name."""
        return pd.concat(
            [self.per_run(metric).assign(metric=metric) for metric in self.metrics],
            ignore_index=True,
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every run; strategies with intervals; the trade-off at every strength; and the checks
        that spoke."""
        tables = {"": self.to_frame(), "summary": self.summary()}
        strengths = [float(s) for s in self.strengths if s > 0]
        if strengths:
            points = [self.tradeoff(s) for s in strengths]
            tables["tradeoff"] = pd.concat(map(tradeoff_means, points), ignore_index=True)
        return tables | {"checks": self.checks()}

    def plain(self) -> dict[str, Any]:
        """The verdicts by strength."""
        return {"verdicts": {f"{s:g}": self.verdicts(s) for s in self.strengths if s > 0}}

    def _place(self, metric: str) -> int:
        metric = metric or self.metric
        if metric not in self.metrics:
            raise KeyError(f"'{metric}' was not measured; there are {', '.join(self.metrics)}.")
        return self.metrics.index(metric)

    def _worst_attack(self, values_sA: np.ndarray, lowest: float) -> str:
        """The attack that gave the worst value, '' where it is the clean one."""
        if not np.isfinite(lowest) or lowest >= values_sA[0, 0]:
            return ""
        return self.attacks[int(np.argwhere(values_sA == lowest)[-1][1])]
