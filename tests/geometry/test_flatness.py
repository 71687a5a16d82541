"""Tables of flatness, and its correlation with robustness under controls."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr

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
            "clean_accuracy": random.normal(size=n),
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
        "none", "within strategy", "equal clean accuracy", "only plain", "only amr",
    }  # fmt: skip


def test_a_correlation_through_clean_accuracy_vanishes_at_equal_accuracy():
    random = np.random.default_rng(1)
    clean = random.normal(size=80)
    frame = pd.DataFrame(
        {
            "strategy": "plain",
            "clean_accuracy": clean,
            "trace": clean + 0.3 * random.normal(size=80),
            "drop_noise": clean + 0.3 * random.normal(size=80),
        }
    )
    found = flatness_versus_robustness(frame, n_resamples=300)
    assert row(found, "none")["correlation"] > 0.7
    assert abs(row(found, "equal clean accuracy")["correlation"]) < 0.3


def test_too_few_runs_or_no_variation_give_no_number():
    few = made_up_runs(4).iloc[:3]
    assert flatness_versus_robustness(few)["correlation"].isna().all()
    flat = made_up_runs().assign(top_eigenvalue=1.0)
    assert flatness_versus_robustness(flat, n_resamples=20)["correlation"].isna().all()


def test_missing_columns_are_named():
    with pytest.raises(ConfigError, match="clean_accuracy"):
        flatness_versus_robustness(made_up_runs().drop(columns="clean_accuracy"))


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


@pytest.mark.parametrize("name", ["spearman", "partial_spearman", "within_groups"])
def test_resamples_at_once_equal_each_by_itself(name):
    correlation = getattr(flatness_module, name)
    random = np.random.default_rng(3)
    x, y = random.integers(0, 6, (2, 20, 12)).astype(float)
    given = np.repeat([0, 1, 2], 4) if name == "within_groups" else random.normal(size=(20, 12))
    given = np.broadcast_to(given, (20, 12))
    apart = [correlation(*row) for row in zip(x, y, given, strict=True)]
    np.testing.assert_allclose(correlation(x, y, given), apart, rtol=1e-12)


def test_the_partial_correlation_is_that_of_regression_residuals():
    random = np.random.default_rng(4)
    x, y, z = random.normal(size=(3, 30))
    basis = np.stack([np.ones(30), rankdata(z)], axis=1)
    left = [r - basis @ np.linalg.lstsq(basis, r, rcond=None)[0] for r in map(rankdata, (x, y))]
    found = flatness_module.partial_spearman(x, y, z)
    assert found == pytest.approx(np.corrcoef(*left)[0, 1])
