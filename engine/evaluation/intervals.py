"""Intervals and paired comparisons: what may be said from several seeds and many users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.foundation.seeding import numpy_generator


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; ``low`` and ``high`` are NaN where n is 1."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def holds_zero(self) -> bool:
        """Whether zero lies inside, so that no difference is shown."""
        return bool(not (self.low > 0 or self.high < 0))

    def __str__(self) -> str:
        if self.n < 2:
            return f"{self.mean:.4f} (one seed, no interval)"
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean over independent values, e.g. one a seed: [S]."""
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def bootstrap_interval(
    values: np.ndarray, n_resamples: int = 2000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Percentile bootstrap of the mean, e.g. over users' paired differences: [n]."""
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    random = numpy_generator(seed, "bootstrap")
    means = np.empty(n_resamples)
    for start in range(0, n_resamples, 100):
        count = min(100, n_resamples - start)
        means[start : start + count] = values[random.integers(0, n, (count, n))].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, float(low), float(high), n)


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d of paired differences [n]: mean over standard deviation; NaN where undefined."""
    differences = np.asarray(differences, dtype=np.float64)
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    return float(differences.mean() / spread) if spread > 0 else float("nan")


def paired_p_value(differences: np.ndarray) -> float:
    """Two-sided p of Student's t test that paired differences [n] have mean 0; NaN below two."""
    differences = np.asarray(differences, dtype=np.float64)
    n = len(differences)
    if n < 2:
        return float("nan")
    error = float(differences.std(ddof=1)) / np.sqrt(n)
    mean = float(differences.mean())
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / error, n - 1))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction (1979) of p values [n]: below alpha with a family-wise error of
    at most alpha, whatever their dependence. NaN stays and is not counted."""
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted
