from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data import Dataset, RandomSplit, UserTimeSplit, read_dataset
from engine.foundation.errors import DataError


def pairs(dataset: Dataset, split: str) -> set[tuple[int, int]]:
    chosen = dataset.interactions(split)
    return set(zip(chosen.users.tolist(), chosen.items.tolist(), strict=True))


def replace_row(rows: tuple[str, ...], index: int, row: str) -> tuple[str, ...]:
    return (*rows[:index], row, *rows[index + 1 :])


ROWS = ("0\t0\t5\t10\t0", "0\t1\t4\t11\t0", "0\t3\t4\t13\t2", "1\t2\t5\t10\t0")


def test_labels_decide_the_split(mmrec_folder):
    dataset = read_dataset(mmrec_folder())
    assert (dataset.name, dataset.n_users, dataset.n_items) == ("tiny", 2, 4)
    assert pairs(dataset, "train") == {(0, 0), (0, 1), (1, 2)}
    assert pairs(dataset, "valid") == {(0, 2)}
    assert pairs(dataset, "test") == {(0, 3), (1, 0)}
    assert dataset.notes[0] == "Split: as the file gives it (column x_label)."


def test_features_are_read_as_they_are_on_disk(mmrec_folder):
    image = np.random.default_rng(0).standard_normal((4, 7))
    dataset = read_dataset(mmrec_folder(image=image))
    assert dataset.features["image"].dtype == np.float64
    np.testing.assert_array_equal(dataset.features["image"], image)
    assert dataset.features["text"].shape == (4, 2)


def test_features_stay_on_disk_on_request(mmrec_folder):
    folder = mmrec_folder()
    mapped = read_dataset(folder, memory_map=True)
    loaded = read_dataset(folder, memory_map=False)
    assert isinstance(mapped.features["image"], np.memmap)
    assert not isinstance(loaded.features["image"], np.memmap)
    assert mapped.fingerprint == loaded.fingerprint


def test_a_folder_without_features_or_items_is_read(mmrec_folder):
    folder = mmrec_folder()
    (folder / "image_feat.npy").unlink()
    (folder / "text_feat.npy").unlink()
    dataset = read_dataset(folder)
    assert dict(dataset.features) == {}
    assert dataset.n_items == 4
    assert list(dataset.items["title"]) == ["item 0", "item 1", "item 2", "item 3"]


def test_items_beyond_the_interactions_count_where_features_have_rows_for_them(mmrec_folder):
    folder = mmrec_folder(rows=ROWS[:2])
    assert read_dataset(folder).n_items == 4


def test_the_only_inter_file_is_taken_whatever_its_name(mmrec_folder):
    folder = mmrec_folder()
    (folder / "tiny.inter").rename(folder / "other.inter")
    assert len(read_dataset(folder)) == 6


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_no_harm(mmrec_folder):
    folder = mmrec_folder()
    text = (folder / "tiny.inter").read_text().replace("\n", "\r\n") + "\r\n\r\n"
    (folder / "tiny.inter").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read_dataset(folder)) == 6


def test_users_absent_from_train_leave_valid_and_test_with_a_note(mmrec_folder):
    dataset = read_dataset(mmrec_folder(rows=(*ROWS, "2\t0\t1\t1\t1", "2\t1\t1\t1\t2")))
    assert 2 not in set(dataset.valid.users) | set(dataset.test.users)
    assert dataset.n_users == 3
    assert "1 users have no training interaction; their 1 valid and 1 test" in " ".join(
        dataset.notes
    )


def test_a_pair_in_two_splits_stays_in_the_earlier_one_with_a_note(mmrec_folder):
    dataset = read_dataset(mmrec_folder(rows=("0\t0\t5\t10\t2", *ROWS)))
    assert (0, 0) in pairs(dataset, "train")
    assert (0, 0) not in pairs(dataset, "test")
    assert any("1 repeated pairs" in note for note in dataset.notes)


def test_another_split_pools_all_interactions(mmrec_folder):
    folder = mmrec_folder()
    dataset = read_dataset(folder, RandomSplit(seed=1))
    everything = set.union(*(pairs(dataset, s) for s in ("train", "valid", "test")))
    given_split = read_dataset(folder)
    assert everything == set.union(*(pairs(given_split, s) for s in ("train", "valid", "test")))


def test_a_file_without_labels_needs_a_split_to_be_named(mmrec_folder):
    folder = mmrec_folder(rows=("0\t0", "0\t1", "1\t2"), header="userID\titemID")
    with pytest.raises(DataError, match="x_label is missing"):
        read_dataset(folder)
    assert len(read_dataset(folder, RandomSplit())) == 3
    with pytest.raises(DataError, match="no timestamp column"):
        read_dataset(folder, UserTimeSplit())


def test_item_tables_are_put_in_id_order_and_named_columns_are_filled(mmrec_folder):
    folder = mmrec_folder(
        items_csv="itemID,title,year,genres,overview,noise\n"
        '3,Last,1999,Drama,"two\nlines",\n0,First,,Comedy|Drama,laughs,image\n'
        "2,NA,2001,,,\n1,1984,2002,War,bleak,\n"
    )
    (folder / "images").mkdir()
    (folder / "images" / "2.jpg").write_bytes(b"")
    items = read_dataset(folder).items
    assert list(items["title"]) == ["First", "1984", "NA", "Last"]
    assert list(items["category"]) == ["Comedy", "War", "", "Drama"]
    assert list(items["description"]) == ["laughs", "bleak", "", "two\nlines"]
    assert list(items["noise"]) == ["image", "", "", ""]
    assert items["genres"][0] == "Comedy|Drama"
    assert items["year"].tolist()[1:] == [2002.0, 2001.0, 1999.0]
    assert list(items["image_path"]) == ["", "", str((folder / "images" / "2.jpg").absolute()), ""]


@pytest.mark.parametrize(
    ("items_csv", "message"),
    [
        ("itemID,title\n0,a\n1,b\n1,c\n3,d\n", r"row 3 .*itemID 1 is there a second time"),
        ("itemID,title\n0,a\n1,b\n3,d\n", r"1 of 4 items have no row, the first is itemID 2"),
        ("itemID,title\n0,a\n1,b\n2,c\n3,d\n9,e\n", r"row 5 .*itemID 9 is outside 0..3"),
        ("itemID,title\n0,a\nx,b\n", r"row 2 .*itemID is 'x'"),
        ("id,title\n0,a\n", r"itemID is missing"),
        ("itemID,title\n", r"holds no rows"),
        ("", r"cannot be read as a table"),
        ("itemID,title\n0,a\n1,b,c,d\n", r"cannot be read as a table"),
        ("itemID,title, title\n0,a,b\n", r"'title' is there twice"),
    ],
)
def test_a_bad_item_table_is_named_with_its_row(mmrec_folder, items_csv, message):
    with pytest.raises(DataError, match=f"items.csv.*{message}"):
        read_dataset(mmrec_folder(items_csv=items_csv))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0\tx\t4\t11\t0", "line 3: itemID is 'x'; a whole number"),
        ("1.5\t1\t4\t11\t0", "line 3: userID is '1.5'"),
        ("0\t1e400\t4\t11\t0", "line 3: itemID is '1e400'"),
        ("0\t\t4\t11\t0", "line 3: itemID is ''"),
        ("0\t1\t4", "line 3: 3 fields were found, but line 1 has 5"),
        ("0\t1\t4\t11\t0\t7", "line 3: 6 fields were found, but line 1 has 5"),
        ("0\t99\t4\t11\t0", r"line 3: itemID is 99, outside 0..3 \(image_feat.npy has 4 rows\)"),
        ("0\t-1\t4\t11\t0", "line 3: itemID is -1, outside 0..3"),
        ("-2\t1\t4\t11\t0", "line 3: userID is -2, outside 0..1"),
        ("5000\t1\t4\t11\t0", "line 3: userID is 5000, but there are only 4"),
        ("0\t1\t4\t11\t3", r"line 3: x_label is 3; allowed are 0 \(train\)"),
        ("0\t1\t4\t11\ttrain", "line 3: x_label is 'train'"),
        ("0\t123456789012345678901\t4\t11\t0", "line 3: itemID is '1234"),
    ],
)
def test_a_bad_line_is_named(mmrec_folder, row, message):
    with pytest.raises(DataError, match=f"tiny.inter, {message}"):
        read_dataset(mmrec_folder(rows=replace_row(ROWS, 1, row)))


def test_line_numbers_count_blank_lines(mmrec_folder):
    with pytest.raises(DataError, match="line 5: itemID is 99"):
        read_dataset(mmrec_folder(rows=(ROWS[0], "", "", "0\t99\t4\t11\t0")))


def test_a_bad_time_matters_only_to_splits_by_time(mmrec_folder):
    folder = mmrec_folder(rows=replace_row(ROWS, 2, "0\t3\t4\tnoon\t2"))
    assert len(read_dataset(folder)) == 4
    with pytest.raises(DataError, match="line 4: timestamp is 'noon'"):
        read_dataset(folder, UserTimeSplit())


def test_a_wrong_header_says_what_is_there_and_what_is_needed(mmrec_folder):
    with pytest.raises(DataError, match=r"line 1: .*'user_id:token'.*userID is missing"):
        read_dataset(mmrec_folder(header="user_id:token\titemID\trating\ttimestamp\tx_label"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"userID\titemID\tx_label\n", "holds no interactions"),
        (b"\nuserID\titemID\tx_label\n0\t0\t0\n", "line 1 is blank"),
        (b"userID\titemID\tx_label\n0\t0\t0\n\xff\xfe\t1\t0\n", "not UTF-8"),
    ],
)
def test_a_file_without_content_is_refused(mmrec_folder, content, message):
    folder = mmrec_folder()
    (folder / "tiny.inter").write_bytes(content)
    with pytest.raises(DataError, match=f"tiny.inter.*{message}"):
        read_dataset(folder)


def test_feature_files_must_agree_on_the_number_of_items(mmrec_folder):
    with pytest.raises(DataError, match=r"text_feat.npy has 4 rows, but .*image_feat.npy has 5"):
        read_dataset(mmrec_folder(image=np.zeros((5, 2))))


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused_in_words(tmp_path: Path, damage):
    folder = tmp_path / "damaged"
    folder.mkdir(exist_ok=True)
    content = bytearray(b"userID\titemID\trating\ttimestamp\tx_label\n")
    content += "\n".join(ROWS * 6).encode()
    for position, value in damage:
        content[position] = value
    (folder / "damaged.inter").write_bytes(bytes(content))
    with contextlib.suppress(DataError):
        assert isinstance(read_dataset(folder), Dataset)


@pytest.mark.realdata
def test_ml100k_posters_is_read_whole_and_fast(ml100k_path):
    started = time.process_time()
    dataset = read_dataset(ml100k_path)
    assert time.process_time() - started < 3.0
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (938, 1006, 54366)
    assert dataset.features["image"].shape == (1006, 1280)
    assert dataset.features["text"].shape == (1006, 384)
    assert dataset.items["title"][0] == "Toy Story (1995)"
    assert dataset.items["category"][0] == "Animation"
    assert (dataset.items["image_path"] != "").all()


@pytest.mark.realdata
def test_the_split_by_time_makes_the_split_that_ml100k_posters_ships(ml100k_path):
    shipped, made = read_dataset(ml100k_path), read_dataset(ml100k_path, UserTimeSplit())
    for split in ("train", "valid", "test"):
        assert pairs(shipped, split) == pairs(made, split)
