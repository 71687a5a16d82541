"""The standard set over seeds: one value a seed, means with Student's 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.evaluation import mean_interval

MEASURES = ("worst", "joint", "removed_zero", "removed_mean", "reliance", "kept", "entered")


def strategy_summary(runs: pd.DataFrame, attacks: Sequence[str]) -> pd.DataFrame:
    """One row for each strategy, strength and measure, from ``StandardAttacks.per_run``.

    ``mean`` with ``low`` and ``high``: over the seeds, each counted once (a seed trained twice is
    averaged first); NaN bounds for one seed. ``n_seeds``: how many have the measure.
    ``is_attackable``: whether any run's scores see the features.
    """
    measures = ["clean", "noise", *attacks, *MEASURES]
    rows = []
    for (strategy, strength), group in runs.groupby(["strategy", "strength"], sort=False):
        by_seed = group.groupby("seed")[measures].mean()
        for measure in measures:
            interval = mean_interval(by_seed[measure].dropna().to_numpy())
            rows.append(
                {
                    "strategy": strategy,
                    "strength": strength,
                    "measure": measure,
                    "mean": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "n_seeds": interval.n,
                    "is_attackable": bool(group["is_attackable"].any()),
                }
            )
    return pd.DataFrame(rows)
