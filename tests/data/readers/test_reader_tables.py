from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.data import LeaveOneOutSplit, RandomSplit, UserTimeSplit, read_dataset
from engine.foundation.errors import DataError


def labelled_pairs(dataset, split):
    chosen = dataset.interactions(split)
    return {(u, dataset.items["item_id"][i]) for u, i in zip(chosen.users, chosen.items)}  # noqa: B905 - equal by construction


def test_a_folder_of_tables_is_read(table_folder):
    dataset = read_dataset(table_folder())
    assert (dataset.name, dataset.n_users, dataset.n_items, len(dataset)) == ("market", 2, 3, 4)
    assert list(dataset.items["item_id"]) == ["a", "b", "c"]
    assert list(dataset.items["title"]) == ["Cup", "Hat", "Bag"]
    np.testing.assert_array_equal(dataset.features["image"], [[0.5, 1], [2, 3], [4, 5]])
    assert "image_0" not in dataset.items
    assert any("2 user ids were numbered" in note for note in dataset.notes)


def test_one_file_alone_is_a_dataset_without_features(tmp_path):
    (tmp_path / "clicks.csv").write_text("user_id,item_id\n7,30\n9,4\n7,4\n")
    dataset = read_dataset(tmp_path / "clicks.csv")
    assert (dataset.name, dataset.n_users, dataset.n_items) == ("clicks", 2, 2)
    assert list(dataset.items["item_id"]) == ["4", "30"]
    assert dict(dataset.features) == {}


def test_parquet_csv_and_tsv_give_equal_data(tmp_path):
    table = pd.DataFrame({"user": [3, 3, 9, 9], "item": [1, 2, 2, 5], "timestamp": [1, 2, 3, 4]})
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    prints = {read_dataset(tmp_path / f"a.{e}").fingerprint for e in ("parquet", "csv", "tsv")}
    assert len(prints) == 1


def test_the_order_of_rows_does_not_matter_to_a_split_by_time(tmp_path):
    table = pd.DataFrame(
        {"user": ["b", "b", "a", "b"], "item": [1, 2, 1, 10], "time": [3, 1, 1, 2]}
    )
    splits = []
    for name, rows in (("first", table), ("second", table.iloc[::-1])):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        dataset = read_dataset(tmp_path / f"{name}.csv", UserTimeSplit())
        splits.append([labelled_pairs(dataset, s) for s in ("train", "valid", "test")])
    assert splits[0] == splits[1] == [{(0, "1"), (1, "2")}, {(1, "10")}, {(1, "1")}]


def test_dates_order_as_times_do(tmp_path):
    rows = [("u", "a", "2024-03-01"), ("u", "b", "2023-01-05T10:00"), ("u", "c", "2024-02-01")]
    pd.DataFrame(rows, columns=["user", "item", "timestamp"]).to_csv(
        tmp_path / "a.csv", index=False
    )
    dataset = read_dataset(tmp_path / "a.csv", LeaveOneOutSplit())
    assert labelled_pairs(dataset, "test") == {(0, "a")}
    assert labelled_pairs(dataset, "valid") == {(0, "c")}


def test_the_files_own_split_comes_first(tmp_path):
    (tmp_path / "a.csv").write_text(
        "user,item,split\n1,1,train\n1,2,Valid\n1,3,test\n2,1,0\n2,3,2\n3,2,test\n"
    )
    dataset = read_dataset(tmp_path / "a.csv")
    assert labelled_pairs(dataset, "train") == {(0, "1"), (1, "1")}
    assert labelled_pairs(dataset, "valid") == {(0, "2")}
    assert labelled_pairs(dataset, "test") == {(0, "3"), (1, "3")}
    assert any("1 users have no training interaction" in note for note in dataset.notes)


def test_ratings_below_the_minimum_are_left_out_with_a_note(table_folder):
    dataset = read_dataset(table_folder(), min_rating=4)
    assert len(dataset) == 3
    assert any("1 interactions rated below 4" in note for note in dataset.notes)


def test_a_repeated_pair_counts_once(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n1,1\n1,2\n1,1\n2,1\n")
    dataset = read_dataset(tmp_path / "a.csv")
    assert len(dataset) == 3
    assert any("1 repeated pairs" in note for note in dataset.notes)


def test_rows_of_a_feature_file_follow_the_item_table(table_folder):
    folder = table_folder(items="item,title\nc,Bag\na,Cup\nb,Hat\n")
    np.save(folder / "text_feat.npy", np.array([[3.0], [1.0], [2.0]]))
    dataset = read_dataset(folder)
    assert list(dataset.items["item_id"]) == ["c", "a", "b"]
    assert dataset.features["text"].ravel().tolist() == [3.0, 1.0, 2.0]


def test_without_an_item_table_ids_name_the_rows_of_the_features(table_folder):
    folder = table_folder("user,item\n1,3\n1,0\n2,3\n", items=None)
    np.save(folder / "image_feat.npy", np.zeros((5, 2)))
    dataset = read_dataset(folder)
    assert dataset.n_items == 5
    assert labelled_pairs(dataset, "train") | labelled_pairs(dataset, "test") == {
        (0, "3"),
        (0, "0"),
        (1, "3"),
    }


def test_pictures_are_found_by_item_id_and_only_inside_the_folder(table_folder):
    folder = table_folder(items="item,image_path\na,p/cup.jpg\nb,../../secret.jpg\nc,\n")
    (folder / "p").mkdir()
    (folder / "p" / "cup.jpg").write_bytes(b"")
    (folder.parent.parent / "secret.jpg").write_bytes(b"")
    paths = list(read_dataset(folder).items["image_path"])
    assert paths == [str((folder / "p" / "cup.jpg").resolve()), "", ""]


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ("name,item\nu,a\n", "user is missing"),
        ("user,item,rating\n", "holds no rows"),
        ("", "cannot be read as a table"),
        ("user,item\nu,a\n,b\n", "row 2 below the header: user is empty"),
        ("user,item\nu,a\nu,zz\n", "row 2 below the header: item 'zz' is not in .*items.csv"),
        ("user,item,split\nu,a,train\nu,b,dev\n", "row 2 below the header: split is 'dev'"),
        ("user,item,time\nu,a,1\nu,b,soon\n", "row 2 below the header: timestamp is 'soon'"),
        ("user,item\nu,a,1,2\n", "cannot be read as a table"),
    ],
)
def test_a_bad_row_is_named(table_folder, interactions, message):
    with pytest.raises(DataError, match=f"interactions.csv.*{message}"):
        read_dataset(table_folder(interactions))


def test_a_bad_rating_is_named(table_folder):
    folder = table_folder("user,item,rating\nu,a,5\nu,b,good\n")
    assert len(read_dataset(folder, RandomSplit())) == 2
    with pytest.raises(DataError, match=r"row 2 below the header: rating is 'good'"):
        read_dataset(folder, min_rating=3)
    with pytest.raises(DataError, match="the highest is 5"):
        read_dataset(table_file(folder, "user,item,rating\nu,a,5\n"), min_rating=6)
    with pytest.raises(DataError, match="no column rating"):
        read_dataset(table_file(folder, "user,item\nu,a\n"), min_rating=6)


def table_file(folder, text):
    path = folder / "other.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("item,title\na,x\na,y\nb,z\nc,w\n", "row 2 below the header: item 'a' is there a second"),
        ("name,title\na,x\n", r"item \(or item_id\) is missing"),
        ("item,image_0\na,1\nb,\nc,3\n", "row 2 below the header: image_0 is ''"),
        ("item,image_0\na,1\nb,nan\nc,3\n", "row 2 below the header: image_0 is 'nan'"),
    ],
)
def test_a_bad_item_table_is_named_with_its_row(table_folder, items, message):
    with pytest.raises(DataError, match=f"items.csv.*{message}"):
        read_dataset(table_folder(items=items))


def test_features_given_twice_are_refused(table_folder):
    folder = table_folder()
    np.save(folder / "image_feat.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match="keep one of them"):
        read_dataset(folder)


def test_features_of_another_number_of_items_are_refused(table_folder):
    folder = table_folder()
    np.save(folder / "text_feat.npy", np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"text_feat.npy has 4 rows, but .*items.csv has 3"):
        read_dataset(folder)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"a\.parquet cannot be read"):
        read_dataset(tmp_path / "a.parquet")
