"""Two strategies under the same perturbation, paired seed by seed and user by user."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.evaluation import bootstrap_interval, effect_size, holm, mean_interval, paired_p_value
from engine.foundation.errors import ConfigError
from engine.robustness.curves.bands import KEYS
from engine.robustness.curves.curve_result import RobustnessCurves

ALPHA = 0.05
SHOWN = "a difference over both seeds and users"


def compare_strategies(curves: RobustnessCurves, first: str, second: str) -> pd.DataFrame:
    """``second`` minus ``first`` in the metric kept for each user, at every strength.

    One row for each perturbation, modality and strength. ``difference`` with ``seed_low`` and
    ``seed_high``: mean over the seeds that both have, and Student's 95 % interval over them (NaN
    for one seed); ``user_low`` and ``user_high``: 95 % bootstrap over users, whose values are
    averaged over those seeds; ``user_effect``: Cohen's d of the users' paired differences;
    ``p_value``: paired t test over seeds, ``p_holm`` the same after Holm's correction for all rows
    of a strength above 0; ``says``: whether an interval holds zero, and whether a difference stays
    after the correction (intervals are uncorrected). A seed trained twice counts as its mean.
    Raises ConfigError where the strategies share no seed.
    """
    series = pd.DataFrame(curves.series).reset_index(names="place")
    rows = []
    shared_any = False
    for key, group in series.groupby(KEYS[1:], sort=False):
        places = [
            group[group["strategy"] == name].groupby("seed")["place"].apply(list)
            for name in (first, second)
        ]
        seeds = places[0].index.intersection(places[1].index)
        if len(seeds) == 0:
            continue
        shared_any = True
        before, after = (
            np.stack([curves.user_values[place[seed]].mean(axis=0) for seed in seeds])
            for place in places
        )
        strengths = curves.strengths[places[0][seeds[0]][0]]
        for at in np.flatnonzero(np.isfinite(strengths)):
            apart_SE = after[:, at] - before[:, at]
            over_seeds = mean_interval(apart_SE.mean(axis=1))
            over_users = bootstrap_interval(apart_SE.mean(axis=0), n_resamples=500)
            rows.append(
                dict(zip(KEYS[1:], key, strict=True))
                | {
                    "strength": strengths[at],
                    "metric": curves.user_metric,
                    "difference": over_seeds.mean,
                    "seed_low": over_seeds.low,
                    "seed_high": over_seeds.high,
                    "n_seeds": over_seeds.n,
                    "user_low": over_users.low,
                    "user_high": over_users.high,
                    "user_effect": effect_size(apart_SE.mean(axis=0)),
                    "p_value": paired_p_value(apart_SE.mean(axis=1)),
                    "says": _verdict(over_seeds.holds_zero, over_users.holds_zero, over_seeds.n),
                }
            )
    if not shared_any:
        known = ", ".join(sorted(set(series["strategy"])))
        raise ConfigError(
            f"'{first}' and '{second}' share no seed, so nothing can be paired; strategies here "
            f"are {known}."
        )
    table = pd.DataFrame(rows)
    tested = table["p_value"].where(table["strength"] > 0)
    table.insert(len(table.columns) - 1, "p_holm", holm(tested.to_numpy()))
    is_lost = (table["says"] == SHOWN) & (table["p_holm"] >= ALPHA)
    table.loc[is_lost, "says"] = SHOWN + ", but not after Holm's correction for all rows"
    return table


def _verdict(seeds_hold_zero: bool, users_hold_zero: bool, n_seeds: int) -> str:
    if n_seeds < 2:
        return "one seed: nothing about other seeds" + (
            "; no difference between users shown" if users_hold_zero else ""
        )
    if seeds_hold_zero:
        return "no difference shown: the interval over seeds holds zero"
    if users_hold_zero:
        return "seeds agree, but the interval over users holds zero"
    return SHOWN
