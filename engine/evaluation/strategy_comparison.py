"""Strategies over several seeds: means, intervals, and paired differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.evaluation.intervals import Interval, bootstrap_interval, effect_size, mean_interval
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
    ``baseline``. Raises ConfigError as ``compare`` does.
    """
    parts = []
    for metric, found in outcomes.items():
        table = compare(found, metric, baseline)
        table.insert(0, "baseline", table.attrs["baseline"])
        table.insert(0, "metric", metric)
        table.attrs.clear()
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def compare(
    outcomes: Sequence[SeedOutcome], metric: str, baseline: str | None = None
) -> pd.DataFrame:
    """One row a strategy, best validation mean first.

    Columns: ``strategy, n_seeds, valid`` (mean of the metric on validation, by which the rows are
    ordered), ``test, test_low, test_high`` (mean and 95 % t interval over seeds); then against the
    baseline ``difference, difference_low, difference_high`` (paired by seed), ``effect_size``
    (Cohen's d of those), ``n_pairs``, ``by_user, by_user_low, by_user_high`` (difference of each
    user's mean over the paired seeds, bootstrap over users), ``n_users``, ``note``; and
    ``gradient_passes, seconds`` (means).
    ``baseline`` None takes 'plain' where there is one, else the first strategy.

    Raises ConfigError where there is nothing to compare, the metric was not measured, or the
    baseline is none of the strategies.
    """
    if not outcomes:
        raise ConfigError("there is no finished run to compare; train some first.")
    missing = [o for o in outcomes if metric not in o.test]
    if missing:
        there = ", ".join(missing[0].test)
        raise ConfigError(f"'{metric}' was not measured; there are {there}.")
    groups: dict[str, list[SeedOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.strategy, []).append(outcome)
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


def _row(
    name: str,
    group: Sequence[SeedOutcome],
    baseline: Sequence[SeedOutcome],
    metric: str,
    is_baseline: bool,
) -> dict[str, object]:
    test = mean_interval(np.array([o.test[metric] for o in group]))
    row: dict[str, object] = {
        "strategy": name,
        "n_seeds": test.n,
        "valid": float(np.mean([o.valid.get(metric, np.nan) for o in group])),
        "test": test.mean,
        "test_low": test.low,
        "test_high": test.high,
    }
    pairs = [] if is_baseline else paired(group, baseline)
    differences = np.array([a.test[metric] - b.test[metric] for a, b in pairs])
    between = mean_interval(differences)
    users = bootstrap_interval(user_differences(pairs))
    row |= {
        "difference": between.mean,
        "difference_low": between.low,
        "difference_high": between.high,
        "effect_size": effect_size(differences),
        "n_pairs": between.n,
        "by_user": users.mean,
        "by_user_low": users.low,
        "by_user_high": users.high,
        "n_users": users.n,
        "note": _note(between, is_baseline, sum(o.diverged for o in group)),
        "gradient_passes": float(np.mean([o.gradient_passes for o in group])),
        "seconds": float(np.mean([o.seconds for o in group])),
    }
    return row


def _note(between: Interval, is_baseline: bool, n_diverged: int) -> str:
    if is_baseline:
        note = "baseline"
    elif between.n == 0:
        note = "no seed in common with the baseline"
    elif between.n == 1:
        note = "one seed: no interval"
    elif between.holds_zero:
        note = "interval holds zero: no difference shown"
    else:
        note = "differs over seeds"
    return f"{note}; {n_diverged} diverged" if n_diverged else note


def paired(
    group: Sequence[SeedOutcome], baseline: Sequence[SeedOutcome]
) -> list[tuple[SeedOutcome, SeedOutcome]]:
    """Outcomes of equal seed, in order of seeds; a seed trained twice counts once, its last."""
    ours = {o.seed: o for o in group}
    theirs = {o.seed: o for o in baseline}
    return [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def user_differences(pairs: Sequence[tuple[SeedOutcome, SeedOutcome]]) -> np.ndarray:
    """Each user's metric minus the baseline's, averaged over seeds; for users in every run."""
    kept = [(a.by_user, b.by_user) for a, b in pairs if a.by_user and b.by_user]
    if not kept:
        return np.zeros(0)
    users = set.intersection(*(set(a) & set(b) for a, b in kept))
    per_seed = [[a[user] - b[user] for user in sorted(users)] for a, b in kept]
    return np.array(per_seed).mean(axis=0)
