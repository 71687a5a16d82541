from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import LeaveOneOutSplit, UserTimeSplit, read_dataset, synthetic
from engine.data.negatives import NegativeSampler
from engine.foundation.errors import DataError


def distinct_pairs(dataset) -> int:
    return sum(dataset.matrix(split) for split in ("train", "valid", "test")).nnz


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(2, 30), st.floats(0, 1), st.integers(0, 3))
def test_any_size_has_exactly_the_interactions_asked_for(n_users, n_items, density, seed):
    wanted = max(1, round(density * n_users * n_items))
    dataset = synthetic(n_users, n_items, wanted, 4, 3, seed)
    assert (dataset.n_users, dataset.n_items) == (n_users, n_items)
    assert len(dataset) == distinct_pairs(dataset) == wanted
    if wanted >= n_users:
        assert set(dataset.train.users) == set(range(n_users))
    NegativeSampler(dataset)


def test_equal_seeds_give_equal_data_and_other_seeds_other_data():
    prints = [synthetic(50, 40, 600, seed=seed).fingerprint for seed in (0, 0, 1)]
    assert prints[0] == prints[1] != prints[2]


def test_features_are_float32_and_a_width_of_zero_leaves_them_out():
    dataset = synthetic(20, 10, 60, image_width=7, text_width=0)
    assert set(dataset.features) == {"image"}
    assert dataset.features["image"].shape == (10, 7)
    assert dataset.features["image"].dtype == np.float32


def test_users_and_items_have_long_tails():
    dataset = synthetic(1000, 500, 20000)
    activity = np.sort(np.bincount(dataset.train.users))[::-1]
    popularity = np.sort(dataset.popularity)[::-1]
    assert activity[:100].sum() > 0.25 * activity.sum()
    assert popularity[:50].sum() > 0.2 * popularity.sum()


def test_about_a_tenth_is_valid_and_a_tenth_is_test():
    dataset = synthetic(300, 500, 15000)
    assert len(dataset.valid) / len(dataset) == pytest.approx(0.1, abs=0.015)
    assert len(dataset.test) / len(dataset) == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_tastes_live_in_the_features(modality):
    """A user's test items are nearer to the mean of their train items than random items are."""
    dataset = synthetic(400, 300, 12000, seed=1)
    x = dataset.features[modality]
    x = x - x.mean(axis=0)
    profile = dataset.matrix("train") @ x
    chosen = (profile[dataset.test.users] * x[dataset.test.items]).sum(axis=1)
    other = np.random.default_rng(0).permutation(dataset.test.items)
    by_chance = (profile[dataset.test.users] * x[other]).sum(axis=1)
    assert (chosen > by_chance).mean() > 0.6


def test_a_line_of_text_makes_a_dataset():
    line = "synthetic:users=30, items=20, interactions=200,image=5,text=4,seed=2,clusters=3"
    dataset = read_dataset(line)
    assert dataset.fingerprint == synthetic(30, 20, 200, 5, 4, 2, 3).fingerprint
    assert dataset.source == line
    assert dataset.items["category"].nunique() == 3
    assert len(read_dataset("synthetic")) == 3000


def test_a_line_can_be_split_otherwise():
    dataset = read_dataset("synthetic", LeaveOneOutSplit(order="random"))
    assert len(dataset.test) == len(dataset.valid) == dataset.n_users
    with pytest.raises(DataError, match="neither labels nor times"):
        read_dataset("synthetic", UserTimeSplit())


@pytest.mark.parametrize("part", ["users=many", "users=-3", "colour=3", "users"])
def test_a_line_that_is_not_understood_is_refused(part):
    with pytest.raises(DataError, match=f"'{part}' is not understood; allowed are users, items"):
        read_dataset(f"synthetic:items=20,{part}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((3, 4, 13), "n_interactions is 13; 1 to 12 is allowed"),
        ((0, 4, 1), "n_users is 0; 1 or more"),
        ((3, 1, 1), "n_items is 1; 2 or more"),
        ((3, 4, 5, -1), "image_width is -1"),
        ((3, 4, 5, 1, 1, 0, 5), "n_clusters is 5; 1 to 4"),
    ],
)
def test_sizes_that_cannot_be_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        synthetic(*values)


def test_the_size_of_amazon_baby_takes_seconds():
    started = time.process_time()
    dataset = synthetic(19_445, 7_050, 160_792, 4_096, 384)
    assert time.process_time() - started < 20.0
    assert len(dataset) == 160_792
    assert set(dataset.train.users) == set(range(19_445))
