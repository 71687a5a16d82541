"""Comparing strategies: what is paired, what is shown, and what is not claimed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.evaluation import (
    SeedOutcome,
    compare,
    compare_metrics,
    holm,
    mean_interval,
    metric_intervals,
    paired_p_value,
)
from engine.foundation.errors import ConfigError


def outcome(strategy, seed, test, valid=0.5, by_user=None):
    return SeedOutcome(strategy, seed, {"recall@20": valid}, {"recall@20": test}, by_user, 10, 2.0)


def test_differences_are_paired_by_seed():
    table = compare(
        [
            *(outcome("plain", s, v) for s, v in enumerate([0.10, 0.20, 0.30])),
            *(outcome("mg", s, v) for s, v in enumerate([0.11, 0.22, 0.33])),
            outcome("mg", 9, 0.99),
        ],
        "recall@20",
    ).set_index("strategy")
    expected = mean_interval(np.array([0.01, 0.02, 0.03]))
    found = table.loc["mg"]
    assert found["n_pairs"] == 3
    assert (found["difference"], found["difference_low"]) == pytest.approx(
        (expected.mean, expected.low)
    )
    assert found["effect_size"] == pytest.approx(2.0)
    assert table.loc["plain", "note"] == "baseline"
    assert np.isnan(table.loc["plain", "difference"])


def test_an_interval_that_holds_zero_says_so():
    plain = [outcome("plain", s, v) for s, v in enumerate([0.1, 0.2, 0.3])]
    other = [outcome("x", s, v) for s, v in enumerate([0.2, 0.1, 0.3])]
    table = compare([*plain, *other], "recall@20").set_index("strategy")
    assert "no difference shown" in table.loc["x", "note"]


def test_rows_are_ordered_by_validation_never_by_test():
    table = compare(
        [outcome("good test", 0, 0.9, valid=0.1), outcome("good valid", 0, 0.1, valid=0.9)],
        "recall@20",
    )
    assert list(table["strategy"]) == ["good valid", "good test"]


def test_users_are_paired_over_seeds():
    users = range(200)
    plain = [outcome("plain", s, 0.1, by_user=dict.fromkeys(users, 0.1)) for s in (0, 1)]
    better = [outcome("x", s, 0.2, by_user={u: 0.1 + 0.1 * (u % 2) for u in users}) for s in (0, 1)]
    row = compare([*plain, *better], "recall@20").set_index("strategy").loc["x"]
    assert row["by_user"] == pytest.approx(0.05)
    assert 0.03 < row["by_user_low"] < 0.05 < row["by_user_high"] < 0.07
    assert row["n_users"] == 200


def test_a_seed_trained_twice_counts_as_one_value_their_mean():
    seeds = [("plain", s, 0.1 + 0.01 * s) for s in range(3)] + [("x", s, 0.2) for s in range(3)]
    once = [outcome(*of, by_user={0: of[2], 1: 0.5}) for of in seeds]
    low, high = ([replace(o, test={"recall@20": o.test["recall@20"] + d},
                          by_user={0: o.by_user[0] + d, 1: 0.5}) for o in once]
                 for d in (-0.05, 0.05))  # fmt: skip
    pd.testing.assert_frame_equal(
        compare([*low, *high], "recall@20"), compare(once, "recall@20"), atol=1e-12
    )
    pd.testing.assert_frame_equal(compare([*once, *once], "recall@20"), compare(once, "recall@20"))
    rows = pd.DataFrame({"group": "g", "seed": [0, 1, 0], "m": [9, 1, 2.0]})
    assert metric_intervals(rows, ["m"])[["mean", "n"]].iloc[0].tolist() == [3.25, 2]


@pytest.mark.parametrize(
    ("users", "note"),
    [
        (None, "differs over seeds; users were not kept"),
        ([0.2, 0.2, 0.3, 0.1], "differs over seeds and users"),
        ([0.9, -0.6, 0.7, -0.4], "differs over seeds, but the interval over users holds zero"),
    ],
)
def test_the_note_says_over_what_a_strategy_differs(users, note):
    kept = dict(enumerate(users)) if users else None
    plain = [outcome("plain", s, 0.1, by_user=kept and dict.fromkeys(kept, 0.0)) for s in range(3)]
    other = [outcome("x", s, 0.2 + 0.01 * s, by_user=kept) for s in range(3)]
    table = compare([*plain, *other], "recall@20").set_index("strategy")
    assert table.loc["x", "note"] == note


def test_p_values_are_scipys_and_holms_correction_is_the_textbooks():
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.25])
    assert paired_p_value(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert paired_p_value(np.array([0.1, 0.1])) == 0
    assert np.isnan(paired_p_value(np.array([0.1])))
    # Holm (1979): the smallest of three times 3, the next times 2, never falling.
    found = holm(np.array([0.04, np.nan, 0.01, 0.03]))
    assert found[[0, 2, 3]] == pytest.approx([0.06, 0.03, 0.06])
    assert np.isnan(found[1])


def test_without_any_effect_some_strategy_differs_in_five_of_a_hundred_studies():
    """Five seeds, six strategies alike: uncorrected, a fifth of the studies finds a difference."""
    random = np.random.default_rng(7)
    wrong = {"p_value": 0, "p_holm": 0}
    n_studies = 200
    for _ in range(n_studies):
        results = random.normal(0.2, 0.01, (7, 5))
        names = ["plain", *"abcdef"]
        runs = [outcome(n, s, results[g, s]) for g, n in enumerate(names) for s in range(5)]
        table = compare(runs, "recall@20")
        for column in wrong:
            wrong[column] += bool((table[column] < 0.05).any())
        has_note = table["note"].str.fullmatch("differs.*users were not kept").any()
        assert has_note == (table["p_holm"] < 0.05).any()
    assert wrong["p_value"] / n_studies > 0.1
    assert wrong["p_holm"] / n_studies < 0.08


def test_a_diverged_seed_is_told():
    runs = [outcome("plain", 0, 0.1), outcome("x", 0, 0.2), outcome("x", 1, 0.3)]
    table = compare([*runs[:2], replace(runs[2], diverged=True)], "recall@20")
    notes = table.set_index("strategy")["note"]
    assert notes["x"] == "one seed: no interval; 1 diverged"
    assert notes["plain"] == "baseline"


def test_several_metrics_make_one_table_that_says_which_is_which():
    runs = [outcome("plain", 0, 0.1, by_user={0: 0.0, 1: 0.2}), outcome("x", 0, 0.2)]
    both = [replace(r, test={**r.test, "ndcg@5": 0.5}, valid={**r.valid, "ndcg@5": 0.1})
            for r in runs]  # fmt: skip
    table = compare_metrics({"recall@20": both, "ndcg@5": both})
    assert table.columns[:3].tolist() == ["metric", "baseline", "strategy"]
    assert table["metric"].tolist() == ["recall@20"] * 2 + ["ndcg@5"] * 2
    assert set(table["baseline"]) == {"plain"}
    alone = compare(both, "ndcg@5")
    columns = alone.columns.tolist()
    pd.testing.assert_frame_equal(
        table[table["metric"] == "ndcg@5"][columns].reset_index(drop=True), alone
    )


@pytest.mark.parametrize(
    ("outcomes", "metric", "baseline", "message"),
    [
        ([], "recall@20", None, "no finished run"),
        ([outcome("a", 0, 0.1)], "recall@7", None, "'recall@7' was not measured"),
        ([outcome("a", 0, 0.1)], "recall@20", "b", "baseline 'b' is unknown; there are a"),
    ],
)
def test_what_cannot_be_compared_is_a_clear_error(outcomes, metric, baseline, message):
    with pytest.raises(ConfigError, match=message):
        compare(outcomes, metric, baseline)
