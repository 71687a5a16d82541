"""Flatness across runs: one table with intervals, and whether flatness predicts robustness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from engine.evaluation import mean_interval
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator
from engine.geometry.curvature.curvature_result import Curvature
from engine.geometry.curvature.measures.measure import MEASURES


def flatness_frame(results: Sequence[Curvature]) -> pd.DataFrame:
    """One row a run: run, label, loss, and a column for each flatness measure."""
    return pd.DataFrame(
        [{"run": r.run, "label": r.label, "loss": r.loss, **r.measures} for r in results]
    )


def flatness_table(
    results: Sequence[Curvature], strategies: Mapping[str, str] | Sequence[str] | None = None
) -> pd.DataFrame:
    """Each flatness measure by strategy, averaged over its runs (seeds), with a 95 % interval.

    ``strategies`` names each result's group: one entry a result, or by run id; its label by
    default. Rows: measure, strategy, mean, low, high, n, is_invariant, description. Intervals are
    Student's t over runs, NaN for a single one. Raises ConfigError for lengths that differ.
    """
    if strategies is None:
        groups = [r.label for r in results]
    elif isinstance(strategies, Mapping):
        groups = [strategies[r.run] for r in results]
    else:
        groups = list(strategies)
    if len(groups) != len(results):
        raise ConfigError(f"{len(groups)} strategies were given for {len(results)} results.")
    rows = []
    for name, measure in MEASURES.items():
        for group in dict.fromkeys(groups):
            members = [r.measures for r, g in zip(results, groups, strict=True) if g == group]
            values = [measures[name] for measures in members if name in measures]
            if not values:
                continue
            found = mean_interval(np.array(values))
            rows.append(
                {
                    "measure": name,
                    "strategy": group,
                    "mean": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                    "is_invariant": measure.is_invariant,
                    "description": measure.description,
                }
            )
    return pd.DataFrame(rows)


def flatness_versus_robustness(
    frame: pd.DataFrame,
    measures: Sequence[str] | None = None,
    drops: Sequence[str] | None = None,
    strategy: str = "strategy",
    clean: str = "clean_accuracy",
    n_resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank correlation of each flatness measure with each accuracy drop over runs, controlled.

    ``frame`` has one row a run: the columns ``strategy`` and ``clean``, flatness measures (those of
    MEASURES that are there, by default) and accuracy drops (columns that start with ``drop``).

    Rows of the answer: measure, drop, control, n, correlation, low, high, is_invariant. Controls:
    ``none`` (Spearman); ``within strategy`` (ranks within each strategy, pooled, so that
    differences between strategies do not count); ``equal clean accuracy`` (partial Spearman given
    the clean accuracy); and ``only NAME`` for each strategy with at least 4 runs. Intervals are
    percentile bootstrap over runs, 95 %; resampled within strategies where that is the control.
    NaN where fewer than 4 runs, or no variation, are left. Raises ConfigError for columns missing.
    """
    measures = list(measures or [m for m in MEASURES if m in frame])
    drops = list(drops or [c for c in frame.columns if str(c).startswith("drop")])
    missing = [c for c in [*measures, *drops, strategy, clean] if c not in frame]
    if missing or not measures or not drops:
        raise ConfigError(
            f"columns missing from the table of runs: {', '.join(missing) or 'measures or drops'}; "
            f"it has {', '.join(map(str, frame.columns))}."
        )
    rows = []
    for measure in measures:
        for drop in drops:
            known = frame[[measure, drop, strategy, clean]].dropna()
            x, y, z = (known[c].to_numpy(dtype=float) for c in (measure, drop, clean))
            groups = known[strategy].astype(str).to_numpy()
            alone = np.zeros(len(known), dtype=int)
            codes = np.unique(groups, return_inverse=True)[1] if len(known) else alone
            cases: list[tuple[str, Correlation, np.ndarray, np.ndarray]] = [
                ("none", spearman, np.arange(len(known)), alone),
                ("within strategy", within_groups, np.arange(len(known)), codes),
                ("equal clean accuracy", partial_spearman, np.arange(len(known)), alone),
            ]
            for name in np.unique(groups):
                members = np.flatnonzero(groups == name)
                if len(members) >= 4:
                    cases.append((f"only {name}", spearman, members, alone))
            for control, correlation, rows_used, strata in cases:
                given = codes if correlation is within_groups else z
                value, low, high = _bootstrapped(
                    correlation, x[rows_used], y[rows_used], given[rows_used], strata[rows_used],
                    n_resamples, seed,
                )  # fmt: skip
                rows.append(
                    {
                        "measure": measure,
                        "drop": drop,
                        "control": control,
                        "n": len(rows_used),
                        "correlation": value,
                        "low": low,
                        "high": high,
                        "is_invariant": measure in MEASURES and MEASURES[measure].is_invariant,
                    }
                )
    return pd.DataFrame(rows)


Correlation = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From values, values and what is controlled for, [..., n] each, to numbers [...] from -1 to 1 or
NaN; leading axes are resamples."""


def spearman(x: np.ndarray, y: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation; NaN without variation."""
    return _pearson(_centred_ranks(x), _centred_ranks(y))


def partial_spearman(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Rank correlation of x and y given z: of what is left of their ranks beside z's."""
    beside = _centred_ranks(z)
    size = (beside * beside).sum(-1, keepdims=True)
    left = []
    for ranks in (_centred_ranks(x), _centred_ranks(y)):
        slope = (ranks * beside).sum(-1, keepdims=True) / np.where(size > 0, size, 1.0)
        left.append(ranks - slope * beside)
    return _pearson(*left)


def within_groups(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Correlation of ranks taken within each group and centred there.

    Resamples hold the members of each group at the same places.
    """
    places = groups.reshape(-1, groups.shape[-1])[0]
    left = [np.empty(x.shape), np.empty(y.shape)]
    for group in np.unique(places):
        members = places == group
        for out, values in zip(left, (x, y), strict=True):
            out[..., members] = _centred_ranks(values[..., members]) / members.sum()
    return _pearson(*left)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = rankdata(values, axis=-1)
    return ranks - ranks.mean(-1, keepdims=True)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation along the last axis of values centred there."""
    spread = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    varies = spread > 1e-9 * x.shape[-1]
    return np.where(varies, (x * y).sum(-1) / np.where(varies, spread, 1.0), np.nan)


def _bootstrapped(
    correlation: Correlation,
    x: np.ndarray,
    y: np.ndarray,
    given: np.ndarray,
    strata: np.ndarray,
    n_resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    nothing = (float("nan"),) * 3
    if len(x) < 4:
        return nothing
    # In the order of their strata, so that every resample holds a stratum at the same places.
    order = np.argsort(strata, kind="stable")
    x, y, given, strata = x[order], y[order], given[order], strata[order]
    value = float(correlation(x, y, given))
    if np.isnan(value):
        return nothing
    random = numpy_generator(seed, "flatness bootstrap")
    members = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    drawn = np.concatenate(
        [m[random.integers(0, len(m), (n_resamples, len(m)))] for m in members], axis=1
    )
    values = correlation(x[drawn], y[drawn], given[drawn])
    values = values[np.isfinite(values)]
    if len(values) < n_resamples / 2:
        return value, float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return value, float(low), float(high)
