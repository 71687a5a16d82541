from __future__ import annotations

import numpy as np
import pytest

from engine.data import RandomSplit, read_dataset
from engine.data.readers import released_negatives
from engine.foundation.errors import DataError


def test_held_out_items_are_the_test_and_one_training_item_a_user_is_valid(amr_folder):
    dataset = read_dataset(amr_folder())
    assert (dataset.n_users, dataset.n_items) == (3, 5)
    assert list(zip(dataset.test.users, dataset.test.items, strict=True)) == [
        (0, 2),
        (1, 0),
        (2, 0),
    ]
    assert sorted(dataset.valid.users) == [0, 1]
    assert np.bincount(dataset.train.users).tolist() == [2, 1, 1]
    assert dataset.features["image"].shape == (5, 3)


def test_the_seed_draws_the_validation(amr_folder):
    folder = amr_folder()
    drawn = {tuple(read_dataset(folder, seed=seed).valid.items) for seed in range(12)}
    assert len(drawn) > 1
    again = [tuple(read_dataset(folder, seed=3).valid.items) for _ in range(2)]
    assert again[0] == again[1]


def test_another_split_pools_training_and_held_out_items(amr_folder):
    assert len(read_dataset(amr_folder(), RandomSplit())) == 9


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"neg": "2 3 4\n0 3\n0 1 2\n"}, "neg.txt, line 2: 2 fields were found, but line 1 has 3"),
        ({"neg": "2 3\n0 3 4\n0 1 2\n"}, "neg.txt, line 2: 3 fields were found, but line 1 has 2"),
        ({"neg": "2 3 4\n0 3 9\n0 1 2\n"}, "neg.txt, line 2: item is 9, outside 0..4"),
        ({"neg": ""}, "neg.txt is empty"),
        ({"pos": ""}, "pos.txt is empty"),
        ({"pos": "0 0\n1 a\n"}, "pos.txt, line 2: field 2 is 'a'"),
        ({"pos": "0 0 1\n1 1 1\n"}, "pos.txt, line 1: 3 fields were found; two are needed"),
        ({"pos": "0 0\n7 1\n"}, r"pos.txt, line 2: user is 7, outside 0..2 \(neg.txt has 3 rows\)"),
        ({"pos": "0 0\n1 -1\n"}, "pos.txt, line 2: item is -1"),
        ({"n_rows": 3}, r"pos.txt, line 3: item is 4, outside 0..2 \(f_resnet.npy has 3 rows\)"),
    ],
)
def test_a_bad_line_is_named(amr_folder, changed, message):
    with pytest.raises(DataError, match=message):
        read_dataset(amr_folder(**changed))


def test_several_feature_files_need_a_choice(amr_folder):
    folder = amr_folder()
    np.save(folder / "f_vgg.npy", np.zeros((5, 2)))
    with pytest.raises(DataError, match=r"2 feature files \(f_resnet.npy, f_vgg.npy\)"):
        read_dataset(folder)


def test_without_features_the_largest_item_tells_how_many_there_are(amr_folder):
    folder = amr_folder()
    (folder / "f_resnet.npy").unlink()
    assert read_dataset(folder).n_items == 5


def test_where_validation_comes_from_is_a_choice(amr_folder):
    folder = amr_folder(pos="".join(f"{u} {i}\n" for u in range(3) for i in range(20)), n_rows=21,
                        neg="20 1 2\n20 1 2\n20 1 2\n")  # fmt: skip
    counts = {
        valid: (len(dataset.train), len(dataset.valid), len(dataset.test))
        for valid in ("leave_one_out", "ratio", "none")
        for dataset in [read_dataset(folder, valid=valid)]
    }
    assert counts == {"leave_one_out": (57, 3, 3), "ratio": (54, 6, 3), "none": (60, 0, 3)}
    default = read_dataset(folder)
    assert default.fingerprint == read_dataset(folder, valid="leave_one_out").fingerprint
    note = read_dataset(folder, valid="ratio", seed=2).notes[0]
    assert "validation: a random 10% of each user's training interactions (seed 2)" in note


def test_the_released_negatives_are_items_of_the_dataset(amr_folder):
    folder = amr_folder()
    assert released_negatives(read_dataset(folder)).tolist() == [[3, 4], [3, 4], [1, 2]]
    (folder / "f_resnet.npy").unlink()
    (folder / "pos.txt").write_text("0 10\n1 10\n2 13\n")
    (folder / "neg.txt").write_text("12 13 14\n15 13 14\n15 12 14\n")
    dataset = read_dataset(folder, valid="none")
    ids = dataset.items["item_id"].to_numpy(int)
    assert ids[released_negatives(dataset)].tolist() == [[13, 14], [13, 14], [12, 14]]


def test_other_data_has_no_released_negatives(amr_folder, mmrec_folder):
    with pytest.raises(DataError, match="has no released negatives; only AMR folders"):
        released_negatives(read_dataset(mmrec_folder()))
    folder = amr_folder()
    with pytest.raises(DataError, match="holds out other items than the test split"):
        released_negatives(read_dataset(folder, RandomSplit(seed=3)))
    (folder / "neg.txt").write_text("2\n0\n0\n")
    with pytest.raises(DataError, match="each line holds the held-out item alone"):
        released_negatives(read_dataset(folder))
