"""The trade-off: how far a run relies on its features, and what it keeps when they are attacked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.evaluation import mean_interval
from engine.robustness.standard.verdicts import at_strength

COLUMNS = [
    "run", "label", "strategy", "seed", "epsilon", "sweep", "is_attackable", "strength", "clean",
    "reliance", "worst", "worst_attack", "removed_zero", "removed_mean", "kept",
]  # fmt: skip


def tradeoff(runs: pd.DataFrame, strength: float) -> pd.DataFrame:
    """One row a run at one strength, with x = ``reliance`` and y = ``worst``.

    ``runs`` is ``StandardAttacks.per_run``. ``path``: a name shared by the runs whose settings
    differ in their adversary's epsilon alone, where there are several, so that they can be joined
    in order of epsilon; else ''. ``above_disuse``: how far the point lies above the line from the
    mean of the runs that see no features (x = 0, y = their accuracy) to the mean of the plainly
    trained ones; NaN where there are none of either. What lies on the line keeps by disuse, what
    lies above it by robustness.

    Raises ConfigError where the strength was not measured.
    """
    at = at_strength(runs, strength)
    table = at[COLUMNS].reset_index(drop=True)
    epsilons = table.groupby("sweep")["epsilon"].transform("nunique")
    names = table.groupby("sweep")["strategy"].transform("first")
    table["path"] = np.where((table["sweep"] != "") & (epsilons > 1), names, "")
    table["above_disuse"] = table["worst"] - _disuse_line(at, table["reliance"])
    return table.drop(columns="sweep")


def tradeoff_means(points: pd.DataFrame) -> pd.DataFrame:
    """One row a strategy: strategy, epsilon, path, is_attackable, n_seeds, and the mean with its
    95 % interval over seeds (``_low``, ``_high``; NaN for one seed) of reliance, worst, clean, kept
    and above_disuse. ``points`` is ``tradeoff``'s table; a seed trained twice counts once.
    """
    measures = ["reliance", "worst", "clean", "kept", "above_disuse"]
    rows = []
    for strategy, group in points.groupby("strategy", sort=False):
        first = group.iloc[0]
        row = {name: first[name] for name in ("epsilon", "path", "strength")}
        row |= {"strategy": strategy, "is_attackable": bool(group["is_attackable"].any())}
        by_seed = group.groupby("seed")[measures].mean()
        for measure in measures:
            interval = mean_interval(by_seed[measure].dropna().to_numpy())
            row |= {measure: interval.mean}
            row |= {f"{measure}_low": interval.low, f"{measure}_high": interval.high}
        rows.append(row | {"n_seeds": len(by_seed)})
    return pd.DataFrame(rows)


def _disuse_line(at: pd.DataFrame, reliance: pd.Series) -> pd.Series:
    """The line's height at each reliance."""
    blind, plain = at[~at["is_attackable"]], at[at["is_plain"] & at["is_attackable"]]
    x = plain["reliance"].mean()
    if blind.empty or plain.empty or x <= 0:
        return pd.Series(np.nan, index=reliance.index)
    start = blind["clean"].mean()
    return start + (plain["worst"].mean() - start) * reliance / x
