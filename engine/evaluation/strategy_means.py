"""Means over the seeds of a strategy, with Student's t interval at 95 %, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.evaluation.intervals import mean_interval


def metric_intervals(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a strategy and metric: group, metric, mean, low, high, n; NaN limits for one seed.

    ``values`` has one row a run: a column ``group``, one for each metric, and maybe
    ``seed``: runs of one seed count as one value, their mean.
    """
    rows = []
    for group, runs in values.groupby("group", sort=False):
        for metric in metrics:
            known = runs[metric].dropna()
            by_seed = known.groupby(runs["seed"]).mean() if "seed" in runs else known
            over = mean_interval(by_seed.to_numpy(dtype=float))
            rows.append((group, metric, over.mean, over.low, over.high, over.n))
    return pd.DataFrame(rows, columns=["group", "metric", "mean", "low", "high", "n"])


def item_group_means(frame: pd.DataFrame, strength: float) -> pd.DataFrame:
    """One row an item group and strategy: clean, perturbed, its low and high over seeds, n_seeds.

    ``frame`` holds the rows of one perturbation and metric of ``RobustnessCurves.group_frame``;
    values are means over draws, then over runs of one seed, then over seeds.
    """
    rows = []
    for (group, strategy), part in frame.groupby(["group", "strategy"], sort=False):
        independent = "seed" if "seed" in part else "run"
        by_run = part.groupby(["run", "strength"])["value"].mean().unstack("strength")
        by_run = by_run.groupby(part.groupby("run")[independent].first()).mean()
        over = mean_interval(by_run[strength].to_numpy())
        rows.append((group, strategy, by_run[0.0].mean(), over.mean, over.low, over.high, over.n))
    columns = ["group", "strategy", "clean", "perturbed", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)
