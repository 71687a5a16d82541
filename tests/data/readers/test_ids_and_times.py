"""Ids that are missing or never occur, ratings that do not count, times and their splits."""

from __future__ import annotations

import pytest

from engine.data import LeaveOneOutSplit, UserTimeSplit, read_dataset
from engine.foundation.errors import DataError

INTER = "userID\titemID\tx_label"


def notes_of(dataset):
    return " ".join(dataset.notes)


def table(folder, text, name="a.csv"):
    (folder / name).write_text(text)
    return folder / name


def without_features(folder):
    for file in folder.glob("*.npy"):
        file.unlink()
    return folder


@pytest.mark.parametrize("missing", ["nan", "NaN", "NULL", "None", "", "NA", " ", "<NA>"])
def test_missing_ids_are_refused_with_their_rows(tmp_path, missing):
    text = f"user,item\n1,2\n{missing},3\n2,3\n{missing},4\n"
    with pytest.raises(DataError, match=r"row 2 below the header: user is .*so are rows 4"):
        read_dataset(table(tmp_path, text))
    with pytest.raises(DataError, match=r"row 1 below the header: item is"):
        read_dataset(table(tmp_path, f"user,item\n1,{missing}\n2,3\n"))


def test_a_missing_id_in_a_rating_file_is_refused(cornac_folder):
    with pytest.raises(DataError, match=r"rating.txt, line 2: user is 'nan', a missing value"):
        read_dataset(cornac_folder(rating="u\ta\t5\nnan\tb\t5\n"))


def test_ids_that_differ_only_in_blanks_are_merged_with_a_note(tmp_path):
    dataset = read_dataset(table(tmp_path, "user,item\nu,a\nu ,b\nu,c\n"))
    assert dataset.n_users == 1
    assert "1 user ids differ from another only in surrounding blanks" in notes_of(dataset)


def test_numbering_from_one_makes_no_user_and_item_without_data(mmrec_folder):
    rows = ("1\t1\t0", "1\t2\t2", "2\t1\t0", "2\t3\t2")
    dataset = read_dataset(without_features(mmrec_folder(rows, INTER)))
    assert (dataset.n_users, dataset.n_items) == (2, 3)
    assert list(dataset.items["item_id"]) == ["1", "2", "3"]
    assert list(dataset.items["title"]) == ["item 1", "item 2", "item 3"]
    assert "1 of the user ids from 0 to 2 occur nowhere" in notes_of(dataset)
    assert "1 of the item ids from 0 to 3 occur nowhere" in notes_of(dataset)


def test_items_numbered_after_users_are_counted_once(mmrec_folder):
    rows = ("0\t30\t0", "0\t31\t2", "1\t32\t0", "1\t30\t2")
    dataset = read_dataset(without_features(mmrec_folder(rows, INTER)))
    assert (dataset.n_users, dataset.n_items) == (2, 3)
    assert dataset.train.items.tolist() == [0, 2]
    assert "30 of the item ids from 0 to 32" in notes_of(dataset)


def test_a_gap_in_users_is_closed_and_items_that_features_name_stay(mmrec_folder):
    dataset = read_dataset(mmrec_folder(("0\t0\t0", "900\t1\t0", "900\t3\t2"), INTER))
    assert (dataset.n_users, dataset.n_items) == (2, 4)
    assert dataset.test.users.tolist() == [1]
    assert "899 of the user ids from 0 to 900" in notes_of(dataset)
    assert "2 of 4 items have no training interaction" in notes_of(dataset)


def test_gaps_in_amrs_items_are_closed_where_no_features_name_them(amr_folder):
    folder = without_features(amr_folder(pos="0 10\n1 11\n2 12\n", neg="11 30\n12 30\n10 30\n"))
    dataset = read_dataset(folder)
    assert dataset.n_items == 4
    assert list(dataset.items["item_id"]) == ["10", "11", "12", "30"]
    assert dataset.test.items.tolist() == [1, 2, 0]
    assert "27 of the item ids from 0 to 30" in notes_of(dataset)


def test_ratings_that_do_not_count_are_said(tmp_path):
    path = table(tmp_path, "user,item,rating\n1,1,0\n1,2,1\n1,3,0\n2,1,1\n2,2,1\n")
    assert "Ratings from 0 to 1 are not used" in notes_of(read_dataset(path))
    assert "the 2 rated 0" in notes_of(read_dataset(path))
    assert "are not used" not in notes_of(read_dataset(path, min_rating=1))


def test_users_and_items_without_rows_after_a_minimum_are_gone(tmp_path, mmrec_folder):
    path = table(tmp_path, "user,item,rating\n1,1,5\n1,2,4\n2,3,1\n3,1,4\n3,9,5\n")
    dataset = read_dataset(path, min_rating=4)
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (2, 3, 4)
    assert "1 interactions rated below 4" in notes_of(dataset)
    assert "1 users have only such ratings" in notes_of(dataset)
    rows = ("0\t0\t5\t0", "0\t1\t1\t2", "1\t2\t1\t0", "2\t2\t4\t0")
    dataset = read_dataset(mmrec_folder(rows, "userID\titemID\trating\tx_label"), min_rating=4)
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (2, 4, 2)
    assert "1 users have only such ratings" in notes_of(dataset)


@pytest.mark.parametrize(
    "name", ["timestamp", "event_time", "Time", "unixReviewTime", "date", "created_at", "TS"]
)
def test_well_known_names_of_times_make_a_split_by_time(tmp_path, name):
    text = f"user,item,{name}\n" + "".join(f"1,{i},{100 - i}\n" for i in range(10))
    dataset = read_dataset(table(tmp_path, text))
    assert dataset.notes[0].startswith(f"Split: by each user's time (column {name})")
    assert dataset.items["item_id"][dataset.test.items[0]] == "0"


@pytest.mark.parametrize(
    ("name", "value"),
    [("reviewTime", "x"), ("when", "2024-05-0{}"), ("t", "150000000{}"), ("t", "150000000{}000")],
)
def test_a_time_that_is_not_read_is_named_and_the_split_is_said_to_be_random(tmp_path, name, value):
    text = f"user,item,{name}\n" + "".join(f"1,{i},{value.format(i)}\n" for i in range(1, 9))
    dataset = read_dataset(table(tmp_path, text))
    assert dataset.notes[0].startswith("Split: at random with seed 0")
    assert f"column {name} looks like a time and is not read" in notes_of(dataset)


def test_whole_times_keep_their_order_where_floats_would_tie(tmp_path, mmrec_folder):
    start = 1_500_000_000_000_000_000
    rows = [f"1,{i},{start + 11 - i}\n" for i in range(1, 11)]
    dataset = read_dataset(table(tmp_path, "user,item,timestamp\n" + "".join(rows)))
    assert dataset.items["item_id"][dataset.test.items[0]] == "1"
    rows = tuple(f"0\t{i}\t{start + 11 - i}" for i in range(4))
    folder = mmrec_folder(rows, "userID\titemID\ttimestamp")
    assert read_dataset(folder, UserTimeSplit()).test.items.tolist() == [0]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "soon", "9" * 5000])
def test_times_that_are_not_finite_are_refused_with_their_row(tmp_path, value, cornac_folder):
    with pytest.raises(DataError, match=r"row 2 below the header: timestamp is '\S{3,43}'; a fin"):
        read_dataset(table(tmp_path, f"user,item,time\n1,1,5\n1,2,{value}\n1,3,6\n"))
    folder = cornac_folder(rating=f"u\ta\t5\t1\nu\tb\t5\t{value}\n")
    with pytest.raises(DataError, match=r"rating.txt, line 2: timestamp is"):
        read_dataset(folder, LeaveOneOutSplit())


def test_mixed_units_are_noted(tmp_path):
    text = "user,item,time\n1,1,1500000000\n1,2,1500000060000\n1,3,1500000120\n"
    assert "mixture of seconds and milliseconds" in notes_of(read_dataset(table(tmp_path, text)))
    text = text.replace("060000", "060")
    assert "mixture" not in notes_of(read_dataset(table(tmp_path, text)))


def test_every_format_says_which_split_was_made(
    tmp_path, mmrec_folder, amr_folder, cornac_folder, table_folder
):
    firsts = [read_dataset(m()).notes[0] for m in (mmrec_folder, cornac_folder, table_folder)]
    assert firsts == [
        "Split: as the file gives it (column x_label).",
        *["Split: at random with seed 0, of each user 10% test, 10% validation."] * 2,
    ]
    amr = notes_of(read_dataset(amr_folder(), seed=3))
    assert "one random training interaction of each user who has two or more (seed 3)" in amr
    synthetic = read_dataset("synthetic:users=9,items=9,interactions=40")
    assert synthetic.notes[0].startswith("Split: at random")
    path = table(tmp_path, "user,item,split\n1,2,train\n1,3,test\n")
    assert read_dataset(path).notes[0] == "Split: as the file gives it (column split)."


def test_large_whole_numbers_as_ids_are_exact(tmp_path):
    ids = [2**53, 2**53 + 1, 2**63, 10**30]
    text = "user,item\n" + "".join(f"1,{i}\n" for i in ids)
    dataset = read_dataset(table(tmp_path, text))
    assert set(dataset.items["item_id"]) == {str(i) for i in ids}
