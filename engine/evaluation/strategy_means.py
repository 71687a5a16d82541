"""Means over the seeds of a strategy, with Student's t interval at 95 %, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.evaluation.intervals import mean_interval


def metric_intervals(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a strategy and metric: group, metric, mean, low, high, n; NaN limits for one seed.

    ``values`` has one row a run: a column ``group``, one for each metric, and where they are known
    ``seed`` and ``id``: a seed trained several times counts once, by its last run.
    """
    rows = []
    for group, members in values.groupby("group", sort=False):
        runs = one_run_a_seed(members, "id")
        for metric in metrics:
            over = mean_interval(runs[metric].dropna().to_numpy(dtype=float))
            rows.append((group, metric, over.mean, over.low, over.high, over.n))
    return pd.DataFrame(rows, columns=["group", "metric", "mean", "low", "high", "n"])


def item_group_means(frame: pd.DataFrame, strength: float) -> pd.DataFrame:
    """One row an item group and strategy: clean, perturbed, its low and high over seeds, n_seeds.

    ``frame`` holds the rows of one perturbation and metric of ``RobustnessCurves.group_frame``;
    values are means over draws, then over seeds, each of which counts once.
    """
    rows = []
    for (group, strategy), part in frame.groupby(["group", "strategy"], sort=False):
        once = one_run_a_seed(part, "run")
        by_run = once.groupby(["run", "strength"])["value"].mean().unstack("strength")
        over = mean_interval(by_run[strength].to_numpy())
        rows.append((group, strategy, by_run[0.0].mean(), over.mean, over.low, over.high, over.n))
    columns = ["group", "strategy", "clean", "perturbed", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


def one_run_a_seed(rows: pd.DataFrame, run: str) -> pd.DataFrame:
    """The rows of the last run of each seed; ``run`` names the column of ids, which sort by age."""
    if not {"seed", run} <= set(rows):
        return rows
    return rows[rows[run] == rows.groupby("seed")[run].transform("max")]
