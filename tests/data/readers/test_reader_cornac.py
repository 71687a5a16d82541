from __future__ import annotations

import numpy as np
import pytest

from engine.data import LeaveOneOutSplit, UserTimeSplit, read_dataset
from engine.foundation.errors import DataError


def test_listed_items_name_the_rows_and_unlisted_ones_are_left_out(cornac_folder):
    dataset = read_dataset(cornac_folder())
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (2, 3, 4)
    assert list(dataset.items["item_id"]) == ["c", "a", "b"]
    assert list(dataset.items["description"]) == ["a hat :: large", "a red cup", ""]
    assert dataset.features["image"].shape == (3, 3)
    assert any(
        "1 interactions with items that item_ids.txt does not list" in n for n in dataset.notes
    )


def test_without_a_list_items_are_numbered_in_sorted_order(cornac_folder):
    dataset = read_dataset(cornac_folder(item_ids=None, n_rows=None))
    assert list(dataset.items["item_id"]) == ["a", "b", "c", "z"]
    assert len(dataset) == 5


def test_ratings_below_the_minimum_are_left_out_with_a_note(cornac_folder):
    dataset = read_dataset(cornac_folder(), min_rating=4)
    assert len(dataset) == 2
    assert any("2 interactions rated below 4" in note for note in dataset.notes)


def test_a_fourth_column_is_the_time(cornac_folder):
    folder = cornac_folder(rating="u\ta\t1\t30\nu\tb\t1\t10\nu\tc\t1\t20\n")
    dataset = read_dataset(folder, LeaveOneOutSplit())
    assert dataset.items["item_id"][dataset.test.items[0]] == "a"
    assert dataset.items["item_id"][dataset.valid.items[0]] == "c"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rating": ""}, "rating.txt is empty"),
        ({"rating": "u,a,5\n"}, "rating.txt, line 1: 1 fields separated by tabs"),
        ({"rating": "u\ta\t5\n\nu\tb\tgood\n"}, "rating.txt, line 3: rating is 'good'"),
        ({"rating": "u\ta\t5\nu\tb\n"}, "rating.txt, line 2: "),
        ({"rating": "u\ta\t5\nu\tb\t5\t5\n"}, "rating.txt, line 2: 4 fields were found"),
        ({"rating": "u\ta\t5\n\tb\t5\n"}, "rating.txt, line 2: user is empty"),
        ({"rating": "u\tq\t5\n"}, "no interaction has an item of item_ids.txt"),
        ({"item_ids": None}, "image_features.npy but no item_ids.txt"),
        ({"item_ids": "a\nb\na\n"}, "item_ids.txt, line 3: item 'a' was listed in line 1"),
        ({"item_ids": ""}, "item_ids.txt is empty"),
        ({"n_rows": 4}, r"image_features.npy has 4 rows, but .*item_ids.txt has 3"),
        ({"text": "a: cup\n"}, "text.txt, line 1 is 'a: cup'; 'id::text' is needed"),
    ],
)
def test_what_does_not_fit_is_named(cornac_folder, changed, message):
    with pytest.raises(DataError, match=message):
        read_dataset(cornac_folder(**changed))


def test_a_split_by_time_needs_times(cornac_folder):
    with pytest.raises(DataError, match="no timestamp column"):
        read_dataset(cornac_folder(), UserTimeSplit())


def test_text_features_are_read_too(cornac_folder):
    folder = cornac_folder()
    np.save(folder / "text_features.npy", np.ones((3, 2)))
    assert read_dataset(folder).features["text"].shape == (3, 2)
