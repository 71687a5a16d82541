"""Tables of flatness, and its correlation with robustness under controls."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from engine.foundation.errors import ConfigError
from engine.geometry import (
    CurvatureConfig,
    flatness_frame,
    flatness_table,
    flatness_versus_robustness,
)
from engine.geometry.curvature import curvature
from engine.geometry.curvature import flatness_statistics as flatness_module


def made_up_runs(n=40, seed=0):
    """Flatness drives the drop only through the strategy: nothing is left within one."""
    random = np.random.default_rng(seed)
    strategy = np.repeat(["plain", "amr"], n // 2)
    shift = 3.0 * (strategy == "plain")
    return pd.DataFrame(
        {
            "strategy": strategy,
            "top_eigenvalue": shift + random.normal(size=n),
            "drop_fgsm": shift + random.normal(size=n),
        }
    )


def row(frame, control):
    return frame[frame["control"] == control].iloc[0]


def test_a_correlation_between_strategies_vanishes_within_them():
    found = flatness_versus_robustness(made_up_runs(), n_resamples=300)
    everything, within = row(found, "none"), row(found, "within strategy")
    frame = made_up_runs()
    assert everything["correlation"] == pytest.approx(
        spearmanr(frame["top_eigenvalue"], frame["drop_fgsm"])[0]
    )
    assert everything["low"] > 0.4
    assert within["low"] < 0 < within["high"]
    assert set(found["control"]) == {
        "none", "within strategy", "only plain", "only amr",
    }  # fmt: skip


def test_under_the_null_intervals_leave_zero_outside_about_one_time_in_twenty():
    """With five runs a strategy by itself would be at 12 %; it has no interval."""
    random = np.random.default_rng(5)
    outside = {"none": 0, "within strategy": 0, "only plain": 0}
    n_trials = 120
    for _ in range(n_trials):
        frame = made_up_runs(16).assign(drop_fgsm=random.normal(size=16))
        frame["top_eigenvalue"] = random.normal(size=16)
        found = flatness_versus_robustness(frame, n_resamples=150)
        for control in outside:
            case = row(found, control)
            outside[control] += case["low"] > 0 or case["high"] < 0
    assert all(count < 0.1 * n_trials for count in outside.values()), outside


def test_fewer_than_eight_runs_have_no_interval_and_a_strategy_of_five_no_row_of_its_own():
    found = flatness_versus_robustness(made_up_runs(10), n_resamples=50)
    assert set(found["control"]) == {"none", "within strategy"}
    assert found["low"].notna().all()
    few = flatness_versus_robustness(made_up_runs(6), n_resamples=50)
    assert few["correlation"].notna().all()
    assert few["low"].isna().all()


def test_a_seed_trained_twice_counts_once():
    frame = made_up_runs(20).assign(seed=np.tile(np.arange(10), 2))
    once = flatness_versus_robustness(frame, n_resamples=50)
    twice = flatness_versus_robustness(pd.concat([frame, frame]), n_resamples=50)
    pd.testing.assert_frame_equal(once, twice)


def test_too_few_runs_or_no_variation_give_no_number():
    few = made_up_runs(4).iloc[:3]
    assert flatness_versus_robustness(few)["correlation"].isna().all()
    flat = made_up_runs().assign(top_eigenvalue=1.0)
    assert flatness_versus_robustness(flat, n_resamples=20)["correlation"].isna().all()


def test_missing_columns_are_named():
    with pytest.raises(ConfigError, match="strategy"):
        flatness_versus_robustness(made_up_runs().drop(columns="strategy"))


def test_the_table_averages_seeds_by_strategy(make_run):
    config = CurvatureConfig(n_triples=100, density_probes=0, per_block=False)
    results = [curvature(make_run(seed=s), config) for s in (1, 2, 3)]
    table = flatness_table(results, ["plain", "plain", "mg"])
    top = table[(table["measure"] == "top_eigenvalue") & (table["strategy"] == "plain")].iloc[0]
    values = [r.measures["top_eigenvalue"] for r in results[:2]]
    assert top["mean"] == pytest.approx(np.mean(values))
    assert top["low"] < top["mean"] < top["high"]
    assert top["n"] == 2
    assert not top["is_invariant"]
    assert table[table["strategy"] == "mg"]["low"].isna().all()
    assert len(flatness_frame(results)) == 3
    noise = table[table["measure"] == "noise_sharpness"].iloc[0]
    errors = [r.measure_errors["noise_sharpness"] for r in results[:2]]
    assert noise["standard_error"] == pytest.approx(np.hypot(*errors) / 2)
    again = flatness_table([*results, results[0]], ["plain", "plain", "mg", "plain"])
    pd.testing.assert_frame_equal(again[["mean", "low", "n"]], table[["mean", "low", "n"]])


@pytest.mark.parametrize("name", ["spearman", "within_groups"])
def test_resamples_at_once_equal_each_by_itself(name):
    correlation = getattr(flatness_module, name)
    random = np.random.default_rng(3)
    x, y = random.integers(0, 6, (2, 20, 12)).astype(float)
    given = np.repeat([0, 1, 2], 4) if name == "within_groups" else random.normal(size=(20, 12))
    given = np.broadcast_to(given, (20, 12))
    apart = [correlation(*row) for row in zip(x, y, given, strict=True)]
    np.testing.assert_allclose(correlation(x, y, given), apart, rtol=1e-12)
