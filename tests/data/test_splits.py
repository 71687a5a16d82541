from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.data import LabelSplit, LeaveOneOutSplit, RandomSplit, UserTimeSplit, split_labels
from engine.data.splits import SplitConfig
from engine.foundation.errors import ConfigError, DataError

SPLITS = [
    RandomSplit(),
    RandomSplit(valid_share=0.3, test_share=0.3, seed=5),
    UserTimeSplit(),
    UserTimeSplit(valid_share=0.0, test_share=0.5),
    LeaveOneOutSplit(),
    LeaveOneOutSplit(order="random", seed=2),
]

interactions = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=60
).map(lambda rows: (np.array([u for u, _ in rows]), np.array([t for _, t in rows], float)))


def held_out_counts(n: int, split: SplitConfig) -> tuple[int, int]:
    """The slow, obvious twin: how many of n interactions go to valid and to test."""
    if isinstance(split, LeaveOneOutSplit):
        wanted_valid, wanted_test = 1, 1
    else:
        wanted_valid = max(1, round(split.valid_share * n)) if split.valid_share else 0
        wanted_test = max(1, round(split.test_share * n)) if split.test_share else 0
    test = min(wanted_test, n - 1)
    return min(wanted_valid, n - 1 - test), test


@pytest.mark.parametrize("split", SPLITS, ids=repr)
@given(interactions)
def test_every_user_keeps_one_in_train_and_holds_out_the_agreed_number(split, rows):
    users, times = rows
    labels = split_labels(users, split, times)
    for user in set(users.tolist()):
        counts = np.bincount(labels[users == user], minlength=3)
        valid, test = held_out_counts(int(counts.sum()), split)
        assert counts.tolist() == [counts.sum() - valid - test, valid, test]
        assert counts[0] >= 1


@pytest.mark.parametrize("split", [UserTimeSplit(valid_share=0.3), LeaveOneOutSplit()], ids=repr)
@given(interactions)
def test_by_time_nothing_held_out_is_older_and_ties_keep_the_row_order(split, rows):
    users, times = rows
    labels = split_labels(users, split, times)
    for user in set(users.tolist()):
        mine = np.flatnonzero(users == user)
        in_time = sorted(mine, key=lambda row: times[row])  # sorted() is stable
        assert labels[in_time].tolist() == sorted(labels[in_time].tolist())


def test_equal_seeds_split_equally_and_other_seeds_otherwise():
    users = np.repeat(np.arange(20), 10)
    first = split_labels(users, RandomSplit(seed=1))
    assert (first == split_labels(users, RandomSplit(seed=1))).all()
    assert (first != split_labels(users, RandomSplit(seed=2))).any()


def test_a_random_split_holds_out_every_position_alike():
    users = np.repeat(np.arange(4000), 10)
    labels = split_labels(users, RandomSplit()).reshape(4000, 10)
    share = (labels == 2).mean(axis=0)
    assert share.min() > 0.08
    assert share.max() < 0.12


def test_the_files_own_labels_are_kept():
    labels = np.array([0, 2, 1])
    assert split_labels(np.zeros(3, int), LabelSplit(), labels=labels).tolist() == [0, 2, 1]


def test_what_a_split_needs_and_lacks_is_said():
    users = np.zeros(3, int)
    with pytest.raises(DataError, match=r"log.csv: the split 'user_time' .* no timestamp"):
        split_labels(users, UserTimeSplit(), source="log.csv")
    with pytest.raises(DataError, match="the split 'leave_one_out'"):
        split_labels(users, LeaveOneOutSplit())
    with pytest.raises(DataError, match="the split 'label' was asked for"):
        split_labels(users, LabelSplit())


def test_shares_must_leave_something_for_train():
    with pytest.raises(ConfigError, match="less than 1"):
        RandomSplit.parse({"valid_share": 0.5, "test_share": 0.5})


@pytest.mark.parametrize("split", [*SPLITS, LabelSplit()], ids=repr)
def test_a_split_is_told_by_its_name_when_read_back(split):
    adapter = TypeAdapter(SplitConfig)
    assert adapter.validate_json(adapter.dump_json(split)) == split
