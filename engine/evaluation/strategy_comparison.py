"""Strategies over several seeds: means, intervals, and paired differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.evaluation.intervals import (
    bootstrap_interval,
    effect_size,
    holm,
    mean_interval,
    paired_p_value,
)
from engine.foundation.errors import ConfigError


@dataclass(frozen=True)
class SeedOutcome:
    """What one run of a strategy came to."""

    strategy: str
    seed: int
    valid: Mapping[str, float]
    test: Mapping[str, float]
    by_user: Mapping[int, float] | None = None
    """The compared test metric of each user, where it was kept."""
    gradient_passes: int = 0
    seconds: float = 0.0
    diverged: bool = False
    """Whether it met a value that was not finite; its metrics are those of its best weights."""


def compare_metrics(
    outcomes: Mapping[str, Sequence[SeedOutcome]], baseline: str | None = None
) -> pd.DataFrame:
    """One table for several metrics, each with the outcomes that hold its metrics of each user.

    Rows and columns of ``compare`` for each metric in turn, after two columns ``metric`` and
    ``baseline``; Holm's correction is over all rows. Raises ConfigError as ``compare`` does.
    """
    parts = []
    for metric, of_metric in outcomes.items():
        table = _uncorrected(of_metric, metric, baseline)
        table.insert(0, "baseline", table.attrs["baseline"])
        table.insert(0, "metric", metric)
        table.attrs.clear()
        parts.append(table)
    return _corrected(pd.concat(parts, ignore_index=True))


def compare(
    outcomes: Sequence[SeedOutcome], metric: str, baseline: str | None = None
) -> pd.DataFrame:
    """One row a strategy, best validation mean first.

    Columns: ``strategy, n_seeds, valid`` (mean of the metric on validation, by which the rows are
    ordered), ``test, test_low, test_high`` (mean and 95 % t interval over seeds); then against the
    baseline ``difference, difference_low, difference_high`` (paired by seed), ``effect_size``
    (Cohen's d over seeds, of those), ``p_value`` (paired t test over seeds), ``p_holm`` (the same
    after Holm's correction for all strategies compared), ``n_pairs``, ``by_user, by_user_low,
    by_user_high`` (difference of each user's mean over the paired seeds, bootstrap over users),
    ``n_users``, ``note``; and ``gradient_passes, seconds`` (means).
    Intervals are uncorrected; ``note`` says over what a difference shows, and whether it stays
    after the correction. Runs of one seed count as one value, their mean.
    ``baseline`` None takes 'plain' where there is one, else the first strategy.

    Raises ConfigError where there is nothing to compare, the metric was not measured, or the
    baseline is none of the strategies.
    """
    table = _uncorrected(outcomes, metric, baseline)
    return _corrected(table)


def _uncorrected(
    outcomes: Sequence[SeedOutcome], metric: str, baseline: str | None
) -> pd.DataFrame:
    if not outcomes:
        raise ConfigError("there is no finished run to compare; train some first.")
    missing = [o for o in outcomes if metric not in o.test]
    if missing:
        there = ", ".join(missing[0].test)
        raise ConfigError(f"'{metric}' was not measured; there are {there}.")
    groups: dict[str, dict[int, SeedOutcome]] = {}
    for outcome in outcomes:
        same = [o for o in outcomes if (o.strategy, o.seed) == (outcome.strategy, outcome.seed)]
        groups.setdefault(outcome.strategy, {})[outcome.seed] = _mean_of_seed(same)
    if baseline is None:
        baseline = "plain" if "plain" in groups else next(iter(groups))
    if baseline not in groups:
        raise ConfigError(f"baseline '{baseline}' is unknown; there are {', '.join(groups)}.")
    rows = [
        _row(name, group, groups[baseline], metric, is_baseline=name == baseline)
        for name, group in groups.items()
    ]
    table = pd.DataFrame(rows).sort_values("valid", ascending=False, ignore_index=True)
    table.attrs |= {"metric": metric, "baseline": baseline}
    return table


def _mean_of_seed(runs: Sequence[SeedOutcome]) -> SeedOutcome:
    """One outcome of the runs that one seed was trained in, their mean."""
    if len(runs) == 1:
        return runs[0]
    by_users = [run.by_user for run in runs if run.by_user]
    users = set.intersection(*map(set, by_users)) if by_users else set()
    return replace(
        runs[0],
        valid={name: float(np.mean([r.valid[name] for r in runs])) for name in runs[0].valid},
        test={name: float(np.mean([r.test[name] for r in runs])) for name in runs[0].test},
        by_user={user: float(np.mean([of[user] for of in by_users])) for user in users} or None,
        gradient_passes=round(np.mean([run.gradient_passes for run in runs])),
        seconds=float(np.mean([run.seconds for run in runs])),
        diverged=any(run.diverged for run in runs),
    )


def _row(
    name: str,
    group: Mapping[int, SeedOutcome],
    baseline: Mapping[int, SeedOutcome],
    metric: str,
    is_baseline: bool,
) -> dict[str, object]:
    outcomes = list(group.values())
    test = mean_interval(np.array([o.test[metric] for o in outcomes]))
    shared = [] if is_baseline else sorted(group.keys() & baseline.keys())
    pairs = [(group[seed], baseline[seed]) for seed in shared]
    differences = np.array([a.test[metric] - b.test[metric] for a, b in pairs])
    between = mean_interval(differences)
    users = bootstrap_interval(user_differences(pairs))
    return {
        "strategy": name,
        "n_seeds": test.n,
        "valid": float(np.mean([o.valid.get(metric, np.nan) for o in outcomes])),
        "test": test.mean,
        "test_low": test.low,
        "test_high": test.high,
        "difference": between.mean,
        "difference_low": between.low,
        "difference_high": between.high,
        "effect_size": effect_size(differences),
        "p_value": paired_p_value(differences),
        "p_holm": float("nan"),
        "n_pairs": between.n,
        "by_user": users.mean,
        "by_user_low": users.low,
        "by_user_high": users.high,
        "n_users": users.n,
        "note": _note(between.n, between.holds_zero, users.n, users.holds_zero, is_baseline),
        "n_diverged": sum(o.diverged for o in outcomes),
        "gradient_passes": float(np.mean([o.gradient_passes for o in outcomes])),
        "seconds": float(np.mean([o.seconds for o in outcomes])),
    }


def _note(
    n_pairs: int, seeds_hold_zero: bool, n_users: int, users_hold_zero: bool, is_baseline: bool
) -> str:
    if is_baseline:
        return "baseline"
    if n_pairs == 0:
        return "no seed in common with the baseline"
    if n_pairs == 1:
        return "one seed: no interval"
    if seeds_hold_zero:
        return "interval over seeds holds zero: no difference shown"
    if n_users < 2:
        return "differs over seeds; users were not kept"
    if users_hold_zero:
        return "differs over seeds, but the interval over users holds zero"
    return "differs over seeds and users"


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in ``p_holm``, and say where a difference does not stay or a seed diverged."""
    corrected = holm(table["p_value"].to_numpy(dtype=float))
    n_compared = int(np.isfinite(corrected).sum())
    notes = []
    rows = zip(table["note"], corrected, table.pop("n_diverged"), strict=True)
    for note, p_holm, n_diverged in rows:
        if note.startswith("differs") and n_compared > 1 and p_holm >= 0.05:
            note += f"; not after Holm's correction for {n_compared} comparisons"
        notes.append(f"{note}; {n_diverged} diverged" if n_diverged else note)
    table["p_holm"], table["note"] = corrected, notes
    return table


def user_differences(pairs: Sequence[tuple[SeedOutcome, SeedOutcome]]) -> np.ndarray:
    """Each user's metric minus the baseline's, averaged over seeds; for users in every run."""
    known = [(a.by_user, b.by_user) for a, b in pairs if a.by_user and b.by_user]
    if not known:
        return np.zeros(0)
    users = set.intersection(*(set(a) & set(b) for a, b in known))
    per_seed = [[a[user] - b[user] for user in sorted(users)] for a, b in known]
    return np.array(per_seed).mean(axis=0)
