"""What curves say over several seeds: bands, drops, areas, the strength that halves accuracy.

Every function takes the table of ``RobustnessCurves.per_run``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.evaluation import mean_interval

KEYS = ["strategy", "perturbation", "control_of", "modality", "unit"]
"""What runs of one strategy under one perturbation share."""


def one_value_a_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """``per_run``'s table with the runs of one strategy and seed averaged: a seed trained twice is
    no second seed. Columns: KEYS, seed, strength, value, clean, removed, drop, relative_drop."""
    keys = [*KEYS, "seed", "strength"]
    measures = ["value", "clean", "removed", "drop", "relative_drop"]
    return runs.groupby(keys, sort=False)[measures].mean().reset_index()


def bands(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each strategy, perturbation, modality and strength: mean over its seeds.

    ``low`` and ``high`` bound the 95 % interval of the mean over seeds (NaN for one seed); ``drop``
    and ``relative_drop`` are means of the seeds' own drops, with their own intervals (``drop_low``
    and so on); ``removed`` is the mean with the features hit set to zero; ``n_seeds`` counts seeds.
    """
    rows = []
    for key, group in one_value_a_seed(runs).groupby([*KEYS, "strength"], sort=False):
        interval = mean_interval(group["value"].to_numpy())
        row = dict(zip([*KEYS, "strength"], key, strict=True))
        row |= {"mean": interval.mean, "low": interval.low, "high": interval.high}
        for name in ("drop", "relative_drop"):
            lost = mean_interval(group[name].to_numpy())
            row |= {name: lost.mean, f"{name}_low": lost.low, f"{name}_high": lost.high}
        rows.append(row | {"removed": group["removed"].mean(), "n_seeds": interval.n})
    return pd.DataFrame(rows)


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each strategy, perturbation and modality.

    ``clean``, ``removed`` (with the features hit set to zero) and ``at_strongest``: means over
    seeds; ``area`` with ``area_low`` and ``area_high``: mean share of the clean value kept over the
    whole range of strengths (area under the curve, divided by range and clean value), with its 95 %
    interval over seeds; ``half_strength``: mean over seeds of the smallest strength, linear between
    the grid's, at which half of the clean value is lost, NaN where no seed loses it; ``n_halved``:
    how many of the ``n_seeds`` do.
    """
    rows = []
    for key, group in one_value_a_seed(runs).groupby(KEYS, sort=False):
        areas, halves, cleans, ends = [], [], [], []
        for _, run in group.groupby("seed", sort=False):
            strength, value = run["strength"].to_numpy(), run["value"].to_numpy()
            cleans.append(value[0])
            ends.append(value[-1])
            areas.append(kept_area(strength, value))
            halves.append(half_strength(strength, value))
        interval = mean_interval(np.array(areas))
        reached = [half for half in halves if np.isfinite(half)]
        rows.append(
            dict(zip(KEYS, key, strict=True))
            | {
                "clean": float(np.mean(cleans)),
                "removed": group["removed"].mean(),
                "at_strongest": float(np.mean(ends)),
                "area": interval.mean,
                "area_low": interval.low,
                "area_high": interval.high,
                "half_strength": float(np.mean(reached)) if reached else float("nan"),
                "n_halved": len(reached),
                "n_seeds": interval.n,
            }
        )
    return pd.DataFrame(rows)


def indifferent(runs: pd.DataFrame, tolerance: float = 0.1) -> pd.DataFrame:
    """Strategies that gain nothing by what is perturbed: strategy, modality, kept.

    ``kept``: mean over seeds of the metric with the features set to zero, as a share of the clean
    value; listed where it is within ``tolerance`` of 1. Where their curves are flat, that is
    disuse of the features; they need not be: features without use can still do harm.
    """
    seeds = one_value_a_seed(runs)
    rows = seeds[(seeds["strength"] == 0) & (seeds["control_of"] == "")]
    shares = (rows["removed"] / rows["clean"].where(rows["clean"] > 0)).rename("kept")
    means = shares.groupby([rows["strategy"], rows["modality"]], sort=False).mean().reset_index()
    return means[(means["kept"] - 1).abs() <= tolerance].reset_index(drop=True)


def kept_area(strengths: np.ndarray, values: np.ndarray) -> float:
    """Area under values [S] over ascending strengths [S], divided by the range and the first value.

    1 means nothing was lost; NaN for a single strength or a first value of 0.
    """
    width = strengths[-1] - strengths[0]
    if width <= 0 or values[0] <= 0:
        return float("nan")
    return float(np.trapezoid(values, strengths) / (width * values[0]))


def half_strength(strengths: np.ndarray, values: np.ndarray) -> float:
    """The smallest strength at which values [S] first reach half of the first, or NaN.

    Linear between the grid's strengths; NaN where they never do.
    """
    half = values[0] / 2
    below = np.flatnonzero(values <= half)
    if values[0] <= 0 or len(below) == 0:
        return float("nan")
    end = int(below[0])
    start = end - 1
    share = (values[start] - half) / (values[start] - values[end])
    return float(strengths[start] + share * (strengths[end] - strengths[start]))
