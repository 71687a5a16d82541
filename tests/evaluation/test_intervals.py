"""Intervals against SciPy and against their meaning."""

import numpy as np
import pytest
from scipy import stats

from engine.evaluation import bootstrap_interval, effect_size, mean_interval


def test_the_interval_of_a_mean_is_students_t():
    values = np.array([0.1, 0.3, 0.2, 0.4])
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((0.25, low, high))
    assert not found.holds_zero


def test_one_seed_has_no_interval_and_says_so():
    found = mean_interval(np.array([0.2]))
    assert np.isnan(found.low)
    assert found.holds_zero
    assert "one seed" in str(found)


def test_the_bootstrap_covers_the_true_mean_about_95_times_in_100():
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        found = bootstrap_interval(random.normal(1.0, 1.0, 60), n_resamples=400, seed=seed)
        covered += found.low <= 1.0 <= found.high
    assert 180 <= covered <= 198


def test_effect_size_is_mean_over_spread():
    assert effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert np.isnan(effect_size(np.array([1.0, 1.0])))
