"""One sentence a strategy: never how much it keeps without how much it relies on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.evaluation import mean_interval
from engine.foundation.errors import ConfigError

LITTLE = 0.05
"""Reliance below this share of the clean accuracy is little."""


def at_strength(runs: pd.DataFrame, strength: float) -> pd.DataFrame:
    """The rows of one strength; raises ConfigError where it was not measured."""
    at = runs[np.isclose(runs["strength"], strength)]
    if at.empty:
        known = ", ".join(f"{s:g}" for s in sorted(set(runs["strength"])) if s > 0)
        raise ConfigError(f"strength {strength:g} was not measured; choose among {known}.")
    return at


def verdicts(runs: pd.DataFrame, checks: pd.DataFrame, strength: float, metric: str) -> list[str]:
    """What each strategy keeps under the worst attack and what it relies on, one value a seed.

    ``runs`` is ``StandardAttacks.per_run``, ``checks`` its ``checks``. Raises ConfigError where
    the strength was not measured.
    """
    sentences = []
    for strategy, group in at_strength(runs, strength).groupby("strategy", sort=False):
        if not group["is_attackable"].any():
            sentences.append(
                f"{strategy} is not attackable through features: its scores see none of them."
            )
            continue
        seeds = group.groupby("seed")[["clean", "worst", "reliance"]].mean()
        clean, worst, reliance = (
            mean_interval(seeds[name].to_numpy()) for name in ("clean", "worst", "reliance")
        )
        text = (
            f"{strategy} keeps {worst.mean:.3f}{_bounds(worst.low, worst.high)} of "
            f"{clean.mean:.3f} ({metric}) under the worst attack of strength {strength:g}, and "
            f"relies on its features for {reliance.mean:.3f}{_bounds(reliance.low, reliance.high)}"
        )
        if reliance.mean < LITTLE * clean.mean:
            text += ": what it keeps, it keeps by hardly using them"
        spoken = checks[(checks["strategy"] == strategy) & np.isclose(checks["strength"], strength)]
        if len(spoken):
            kinds = ", ".join(dict.fromkeys(spoken["check"]))
            text += f"; its attacks look weak ({kinds}), so this is no sign of robustness"
        sentences.append(text + ".")
    return sentences


def _bounds(low: float, high: float) -> str:
    return f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else ""
