"""Parquet tables: lists, categoricals, gaps, odd types, damage and limits."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from engine.data import read_dataset
from engine.data.readers.parsing import table_files
from engine.foundation.errors import DataError

USERS = [1, 1, 2, 2]
ITEMS = ["a", "b", "b", "c"]


def folder_of(tmp_path, **item_columns):
    parquet.write_table(pa.table({"user": USERS, "item": ITEMS}), tmp_path / "interactions.parquet")
    parquet.write_table(
        pa.table({"item": ["a", "b", "c"], **item_columns}), tmp_path / "items.parquet"
    )
    return tmp_path


def notes_of(dataset):
    return " ".join(dataset.notes)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2)])
@pytest.mark.parametrize("name", ["image", "image_feat", "image_embedding"])
def test_lists_of_equal_length_are_features(tmp_path, kind, name):
    lists = pa.array([[1, 2], [3, 4], [5, 6]], kind)
    dataset = read_dataset(folder_of(tmp_path, **{name: lists}))
    np.testing.assert_array_equal(dataset.features["image"], [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    "lists",
    [
        [["x", "y"], ["x"], []],
        [[1.0, 2.0], [3.0], [4.0, 5.0]],
        [[1.0], None, [2.0]],
        [[1.0, None], [1.0, 2.0], [3.0, 4.0]],
        [{"k": 1}, {"k": 2}, None],
        [b"\xff", b"\x00", b"a"],
    ],
)
def test_columns_without_a_plain_form_are_left_out_and_named(tmp_path, lists):
    dataset = read_dataset(folder_of(tmp_path, tags=lists, title=["Cup", "Hat", "Bag"]))
    assert list(dataset.items["title"]) == ["Cup", "Hat", "Bag"]
    assert "column tags holds" in notes_of(dataset)


def test_numbers_in_lists_under_other_names_are_named(tmp_path):
    dataset = read_dataset(folder_of(tmp_path, neighbours=[[1, 2], [0, 2], [0, 1]]))
    assert dict(dataset.features) == {}
    assert "not read are the columns of lists neighbours" in notes_of(dataset)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_lists_with_numbers_that_do_not_fit_are_refused(tmp_path, value):
    with pytest.raises(DataError, match=r"column image, row 1, column 1 is"):
        read_dataset(folder_of(tmp_path, image=[[1.0, 2.0], [1.0, value], [1.0, 2.0]]))


def test_categoricals_with_gaps_are_read(tmp_path):
    frame = pd.DataFrame({"category": pd.Categorical(["hat", None, "cup"])})
    column = pa.Table.from_pandas(frame)["category"]
    dataset = read_dataset(folder_of(tmp_path, category=column))
    assert list(dataset.items["category"]) == ["hat", "", "cup"]


def test_categorical_ids_and_an_index_of_pandas_are_read(tmp_path):
    frame = pd.DataFrame({"user": USERS, "item": pd.Categorical(ITEMS)}).set_index("item")
    frame.to_parquet(tmp_path / "a.parquet")
    assert len(read_dataset(tmp_path / "a.parquet")) == 4


@pytest.mark.parametrize(
    "users",
    [
        pa.array([1, None, 2, 2]),
        pa.array([1.0, None, 2.0, 2.0]),
        pa.array(["1", None, "2", "2"]),
        pa.array(["1", None, "2", "2"]).dictionary_encode(),
    ],
)
def test_missing_ids_are_refused(tmp_path, users):
    parquet.write_table(pa.table({"user": users, "item": ITEMS}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet, row 2 below the header: user is"):
        read_dataset(tmp_path / "a.parquet")


@pytest.mark.parametrize("value", [1e300, 2.0**60, float("inf")])
def test_ids_that_a_float_cannot_tell_apart_are_refused(tmp_path, value):
    table = pa.table({"user": [1.0, value, 2.0, 2.0], "item": ITEMS})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 2 below the header: user is .*too large to tell"):
        read_dataset(tmp_path / "a.parquet")


def test_large_whole_ids_beside_missing_values_elsewhere_stay_exact(tmp_path):
    table = pa.table({"user": USERS, "item": [2**60, 2**60 + 1, 7, 8], "rating": [1, None, 2, 3]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read_dataset(tmp_path / "a.parquet").n_items == 4


@pytest.mark.parametrize(
    "column",
    [
        pa.array([4, 3, 2, 1], pa.timestamp("ns", "UTC")),
        pa.array([datetime.date(2024, 1, 5 - k) for k in range(4)]),
        pa.array([4, 3, 2, 1], pa.uint64()),
        pa.array([4.5, 3.5, 2.5, 1.5]),
        pa.array(["2024-01-04", "2024-01-03", "2024-01-02T10:00", "2024-01-01"]),
    ],
)
def test_times_of_any_type_order_interactions(tmp_path, column):
    table = pa.table({"user": [1] * 4, "item": ["d", "c", "b", "a"], "time": column})
    parquet.write_table(table, tmp_path / "a.parquet")
    dataset = read_dataset(tmp_path / "a.parquet")
    assert dataset.items["item_id"][dataset.test.items[0]] == "d"


def test_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays(
        [pa.array(USERS), pa.array(ITEMS), pa.array(ITEMS)], ["user", "item", "item"]
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="'item' is there twice"):
        read_dataset(tmp_path / "a.parquet")


def test_a_small_file_of_very_many_rows_is_refused_before_it_is_read(tmp_path, monkeypatch):
    indices = pa.array(np.zeros(100_000, np.int32))
    column = pa.DictionaryArray.from_arrays(indices, ["x"])
    table = pa.table({"user": column, "item": column})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 5000
    monkeypatch.setattr(table_files, "MAX_ROWS", 99_999)
    with pytest.raises(DataError, match=r"100,000 rows; at most 99,999 are read"):
        read_dataset(tmp_path / "a.parquet")
    monkeypatch.setattr(table_files, "MAX_ROWS", 10**9)
    monkeypatch.setattr(table_files, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match=r"holds more than .* GiB; keep fewer rows"):
        read_dataset(tmp_path / "a.parquet")


def test_a_table_too_wide_is_refused(tmp_path, monkeypatch):
    columns = {"user": [1], "item": [2], **{f"c{k}": [0] for k in range(300)}}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    monkeypatch.setattr(table_files, "MAX_COLUMNS", 301)
    with pytest.raises(DataError, match="302 columns; at most 301"):
        read_dataset(tmp_path / "a.parquet")
