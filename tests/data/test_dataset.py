from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from engine.data import Dataset, Interactions, read_dataset, synthetic
from engine.data.dataset import ITEM_COLUMNS
from engine.foundation.errors import DataError


def pairs(*rows: tuple[int, int]) -> Interactions:
    return Interactions(np.array([u for u, _ in rows], int), np.array([i for _, i in rows], int))


VALID = Dataset("made", 2, 3, pairs((0, 0), (1, 2)), pairs((0, 1)), pairs((1, 1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": pairs()}, "no training interactions"),
        ({"train": pairs((0, 3))}, r"train, row 0: item id 3 is outside 0..2"),
        ({"test": pairs((0, 0), (-1, 0))}, r"test, row 1: user id -1 is outside 0..1"),
        ({"valid": Interactions(np.zeros(2, int), np.zeros(3, int))}, "equally long"),
        ({"n_items": 1}, "at least 1 user and 2 items"),
        (
            {"features": {"a smell": np.zeros((3, 2))}},
            "modality 'a smell'; a modality's name needs",
        ),
        ({"features": {"image": np.zeros((2, 2))}}, r"shape \(2, 2\); \[3, width\]"),
        ({"features": {"image": np.zeros((3, 2), int)}}, "int64; floats are needed"),
        ({"features": {"text": np.array([[0.0], [np.nan], [0.0]])}}, "text features of item 1"),
        ({"items": pd.DataFrame({"title": ["a"]})}, "1 rows for 3 items"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(DataError, match=f"made.*{message}"):
        dataclasses.replace(VALID, **changes)


def test_nothing_in_a_dataset_can_be_changed():
    dataset = synthetic(5, 4, 10)
    with pytest.raises(ValueError, match="read-only"):
        dataset.train.users[0] = 3
    with pytest.raises(ValueError, match="read-only"):
        dataset.features["image"][0] = 3
    with pytest.raises(TypeError):
        dataset.features["image"] = np.zeros((4, 1))


def test_every_item_has_a_title_and_all_columns():
    items = dataclasses.replace(VALID, items=pd.DataFrame({"title": ["a", None, ""]})).items
    assert list(items["title"]) == ["a", "item 1", "item 2"]
    assert set(ITEM_COLUMNS) <= set(items.columns)


def test_matrices_hold_one_for_each_pair():
    dataset = dataclasses.replace(VALID, train=pairs((0, 2), (0, 0), (0, 2)))
    assert dataset.matrix("train").toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert dataset.popularity.tolist() == [1, 0, 2]


def test_the_fingerprint_changes_with_any_id_split_or_feature(mmrec_folder):
    base = synthetic(5, 4, 10)
    image = base.features["image"].copy()
    image[0, 0] += 1
    others = [
        dataclasses.replace(base, valid=base.test, test=base.valid, train=base.train),
        dataclasses.replace(base, features={"text": base.features["text"], "image": image}),
        dataclasses.replace(base, features={}),
        dataclasses.replace(base, n_users=6),
        read_dataset(mmrec_folder()),
    ]
    assert len({base.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert dataclasses.replace(base, name="elsewhere", source="b").fingerprint == base.fingerprint
