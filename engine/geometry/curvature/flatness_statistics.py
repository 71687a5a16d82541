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
from engine.geometry.curvature.measures import in_table_order, measure_of, title_of


def flatness_frame(results: Sequence[Curvature]) -> pd.DataFrame:
    """One row a run: run, label, loss, and a column for each flatness measure."""
    return pd.DataFrame(
        [{"run": r.run, "label": r.label, "loss": r.loss, **r.measures} for r in results]
    )


def flatness_table(
    results: Sequence[Curvature], strategies: Mapping[str, str] | Sequence[str] | None = None
) -> pd.DataFrame:
    """Each flatness measure by strategy, averaged over its seeds, with a 95 % interval.

    ``strategies`` names each result's group: one entry a result, or by run id; its label by
    default. Runs of one seed count as one value, their mean. Rows: measure, strategy, mean, low,
    high, n (seeds), standard_error (of the mean, from what the measure sampled; 0 where it samples
    nothing), unit, is_invariant, moved_by, title, description. Intervals are Student's t over
    seeds, NaN for a single one. Raises ConfigError for lengths that differ.
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
    for name in in_table_order(list(dict.fromkeys(n for r in results for n in r.measures))):
        measure = measure_of(name)
        assert measure is not None
        for group in dict.fromkeys(groups):
            members = [
                r for r, g in zip(results, groups, strict=True) if g == group and name in r.measures
            ]
            if not members:
                continue
            # Results of an older version do not say their seed; each counts as one of its own.
            seeds = [r.provenance.get("seed", f"run {k}") for k, r in enumerate(members)]
            table = pd.DataFrame(
                {
                    "seed": [str(seed) for seed in seeds],
                    "value": [r.measures[name] for r in members],
                    "variance": [r.measure_errors.get(name, 0.0) ** 2 for r in members],
                }
            )
            by_seed = table.groupby("seed", sort=False)
            interval = mean_interval(by_seed["value"].mean().to_numpy())
            variance = (by_seed["variance"].sum() / by_seed.size() ** 2).sum() / interval.n**2
            rows.append(
                {
                    "measure": name,
                    "strategy": group,
                    "mean": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "n": interval.n,
                    "standard_error": float(np.sqrt(variance)),
                    "unit": measure.unit,
                    "is_invariant": measure.is_invariant,
                    "moved_by": ", ".join(measure.moved_by),
                    "title": title_of(name),
                    "description": measure.description,
                }
            )
    return pd.DataFrame(rows)


def flatness_versus_robustness(
    frame: pd.DataFrame,
    measures: Sequence[str] | None = None,
    drops: Sequence[str] | None = None,
    strategy: str = "strategy",
    n_resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank correlation of each flatness measure with each accuracy drop over runs, controlled.

    ``frame`` has one row a run: the column ``strategy``, flatness measures (those that are there,
    by default), accuracy drops (columns that start with ``drop``), and maybe ``seed``: rows of one
    strategy and seed are averaged first, since they are no independent runs.

    Rows of the answer: measure, drop, control, n, correlation, low, high, is_invariant. Controls:
    ``none`` (Spearman); ``within strategy`` (ranks within each strategy, pooled, so that
    differences between strategies do not count); and ``only NAME`` for each strategy with at least
    8 seeds. Intervals are percentile bootstrap over seeds, 95 %; resampled within strategies where
    that is the control; none below 8, where they would be too narrow. NaN where fewer than 4, or
    no variation, are left. Raises ConfigError for columns missing.
    """
    measures = list(measures or in_table_order([str(c) for c in frame.columns]))
    drops = list(drops or [c for c in frame.columns if str(c).startswith("drop")])
    missing = [c for c in [*measures, *drops, strategy] if c not in frame]
    if missing or not measures or not drops:
        raise ConfigError(
            f"columns missing from the table of runs: {', '.join(missing) or 'measures or drops'}; "
            f"it has {', '.join(map(str, frame.columns))}."
        )
    if "seed" in frame:
        frame = frame.groupby([strategy, "seed"], as_index=False)[[*measures, *drops]].mean()
    rows = []
    for measure in measures:
        for drop in drops:
            known = frame[[measure, drop, strategy]].dropna()
            x, y = (known[c].to_numpy(dtype=float) for c in (measure, drop))
            groups = known[strategy].astype(str).to_numpy()
            together = np.zeros(len(known), dtype=int)
            codes = np.unique(groups, return_inverse=True)[1] if len(known) else together
            everyone = np.arange(len(known))
            cases: list[tuple[str, Correlation, np.ndarray, np.ndarray]] = [
                ("none", spearman, everyone, together),
                ("within strategy", within_groups, everyone, codes),
            ]
            for name in np.unique(groups):
                members = np.flatnonzero(groups == name)
                if len(members) >= FEWEST_FOR_INTERVAL:
                    cases.append((f"only {name}", spearman, members, together))
            for control, correlation, rows_used, strata in cases:
                value, low, high = _bootstrap(
                    correlation, x[rows_used], y[rows_used], strata[rows_used], n_resamples, seed
                )
                owner = measure_of(measure)
                rows.append(
                    {
                        "measure": measure,
                        "drop": drop,
                        "control": control,
                        "n": len(rows_used),
                        "correlation": value,
                        "low": low,
                        "high": high,
                        "is_invariant": owner is not None and owner.is_invariant,
                    }
                )
    return pd.DataFrame(rows)


FEWEST_FOR_INTERVAL = 8
"""Runs; with five, 12 % of 95 % bootstrap intervals of a rank correlation leave 0 outside where
there is none."""

Correlation = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From values, values and strata, [..., n] each, to numbers [...] from -1 to 1 or NaN; leading axes
are resamples."""


def spearman(x: np.ndarray, y: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation; NaN without variation."""
    return _pearson(_centred_ranks(x), _centred_ranks(y))


def within_groups(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Correlation of ranks taken within each group and centred there.

    Resamples hold the members of each group at the same places.
    """
    places = groups.reshape(-1, groups.shape[-1])[0]
    ranks = [np.empty(x.shape), np.empty(y.shape)]
    for group in np.unique(places):
        members = places == group
        for out, values in zip(ranks, (x, y), strict=True):
            out[..., members] = _centred_ranks(values[..., members]) / members.sum()
    return _pearson(*ranks)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = rankdata(values, axis=-1)
    return ranks - ranks.mean(-1, keepdims=True)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation along the last axis of values centred there."""
    spread = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    varies = spread > 1e-9 * x.shape[-1]
    return np.where(varies, (x * y).sum(-1) / np.where(varies, spread, 1.0), np.nan)


def _bootstrap(
    correlation: Correlation,
    x: np.ndarray,
    y: np.ndarray,
    strata: np.ndarray,
    n_resamples: int,
    seed: int,
) -> tuple[float, float, float]:
    nan = float("nan")
    if len(x) < 4:
        return nan, nan, nan
    # In the order of their strata, so that every resample holds a stratum at the same places.
    order = np.argsort(strata, kind="stable")
    x, y, strata = x[order], y[order], strata[order]
    value = float(correlation(x, y, strata))
    if np.isnan(value) or len(x) < FEWEST_FOR_INTERVAL:
        return value, nan, nan
    random = numpy_generator(seed, "flatness bootstrap")
    members = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    drawn = np.concatenate(
        [m[random.integers(0, len(m), (n_resamples, len(m)))] for m in members], axis=1
    )
    values = correlation(x[drawn], y[drawn], strata[drawn])
    values = values[np.isfinite(values)]
    if len(values) < n_resamples / 2:
        return value, nan, nan
    low, high = np.quantile(values, [0.025, 0.975])
    return value, float(low), float(high)
