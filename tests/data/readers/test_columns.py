"""One column for each meaning; features in order; what is not read is named."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data import read_dataset
from engine.foundation.errors import DataError


def notes_of(dataset):
    return " ".join(dataset.notes)


def table(folder, text, name="a.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_an_id_goes_before_a_name_and_this_is_said(tmp_path):
    dataset = read_dataset(table(tmp_path, "user,item,item_id\nu,Cup,7\nu,Cup,8\nv,Hat,7\n"))
    assert list(dataset.items["item_id"]) == ["7", "8"]
    assert "item is read from column item_id, not from item" in notes_of(dataset)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("user,item,item_id,ItemID", "item, item_id, ItemID"),
        ("user_id,userid,item", "user_id, userid"),
        ("user,item,time,date", "time, date"),
        ("user,item,split,x_label", "split, x_label"),
    ],
)
def test_several_columns_of_one_meaning_are_refused(tmp_path, header, columns):
    row = ",".join("1" for _ in header.split(","))
    with pytest.raises(DataError, match=rf"columns for \w+: {columns}; rename or remove"):
        read_dataset(table(tmp_path, f"{header}\n{row}\n{row}\n"))


def test_several_tables_of_one_kind_are_refused(table_folder):
    folder = table_folder()
    table(folder, "user\titem\n1\t2\n", "interactions.TSV")
    with pytest.raises(DataError, match=r"2 tables of interactions \(interactions.TSV, inter"):
        read_dataset(folder)
    (folder / "interactions.TSV").unlink()
    table(folder, "item\ttitle\na\tCup\n", "items.tsv")
    with pytest.raises(DataError, match="2 tables of items"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        (("image_1", "image_2", "image_3"), (0, 1, 2)),
        (("image_02", "image_00", "image_01"), (1, 2, 0)),
        (("image_10", *(f"image_{k}" for k in range(10))), (*range(1, 11), 0)),
    ],
)
def test_numbered_feature_columns_are_read_in_order(table_folder, columns, order):
    values = np.arange(3 * len(columns), dtype=float).reshape(3, -1)
    lines = [",".join(map(str, row)) for row in values]
    text = f"item,{','.join(columns)}\n" + "\n".join(
        f"{i},{line}" for i, line in zip("abc", lines, strict=True)
    )
    image = read_dataset(table_folder(items=text)).features["image"]
    np.testing.assert_array_equal(image, values[:, order])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("image_0,image_1,image_3", "image_2 is missing"),
        ("image_2,image_3,image_4", "image_0 is missing"),
        ("image_0,image_1,image_01", "image_0?1 and image_0?1 have the same number"),
    ],
)
def test_feature_columns_with_gaps_are_refused_not_cut(table_folder, columns, message):
    items = f"item,{columns}\na,1,2,3\nb,1,2,3\nc,1,2,3\n"
    with pytest.raises(DataError, match=rf"items.csv.*{message}"):
        read_dataset(table_folder(items=items))


def test_columns_that_look_like_features_are_named(table_folder):
    columns = ",".join(f"img_{k}" for k in range(8))
    row = ",".join("1" for _ in range(8))
    dataset = read_dataset(table_folder(items=f"item,{columns}\na,{row}\nb,{row}\nc,{row}\n"))
    assert dict(dataset.features) == {}
    assert "8 columns img_0 to img_7 look like features" in notes_of(dataset)


def test_a_value_too_large_for_float32_is_named_with_row_and_column(table_folder):
    with pytest.raises(DataError, match=r"row 2 below the header: image_1 is 1e\+300, too large"):
        read_dataset(table_folder(items="item,image_0,image_1\na,1,2\nb,1,1e300\nc,1,2\n"))


@pytest.mark.parametrize("value", [1e39, -1e300])
@pytest.mark.parametrize("memory_map", [True, False])
def test_features_too_large_for_float32_are_named(mmrec_folder, value, memory_map):
    image = np.zeros((4, 3))
    image[2, 1] = value
    with pytest.raises(DataError, match=r"image_feat.npy, row 2, column 1 .*too large for float32"):
        read_dataset(mmrec_folder(image=image), memory_map=memory_map)


def test_files_that_look_like_data_and_are_not_read_are_named(mmrec_folder):
    folder = mmrec_folder()
    for name in ("img_feat.npy", "visual_feat.npy", "extra.npz", "ratings.csv", "README.md"):
        (folder / name).write_bytes(b"")
    dataset = read_dataset(folder)
    assert set(dataset.features) == {"image", "text"}
    assert "extra.npz, img_feat.npy, ratings.csv, visual_feat.npy" in notes_of(dataset)
    assert "README" not in notes_of(dataset)


@pytest.mark.parametrize("fixture", ["amr_folder", "cornac_folder", "table_folder"])
def test_every_format_names_files_it_does_not_read(request, fixture):
    folder = request.getfixturevalue(fixture)()
    (folder / "embeddings.npz").write_bytes(b"")
    assert "Not read are the files embeddings.npz" in notes_of(read_dataset(folder))


def test_columns_that_are_not_read_are_named(tmp_path):
    dataset = read_dataset(table(tmp_path, "user,item,shop,note\n1,2,3,x\n1,3,3,y\n"))
    assert "not read are the columns shop, note" in notes_of(dataset)


def test_items_say_how_many_have_a_picture_and_which_pictures_match_none(table_folder, tmp_path):
    folder = table_folder(items="item,title\na,Cup\nb,Hat\nc,Bag\n")
    (folder / "images").mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"")
    for name in ("a.jpg", "x.jpg", "y.png"):
        (folder / "images" / name).write_bytes(b"")
    (folder / "images" / "b.jpg").symlink_to(secret)
    dataset = read_dataset(folder)
    assert [bool(path) for path in dataset.items["image_path"]] == [True, False, False]
    assert "1 of 3 items have a picture in images/; 2 files match no item (x, y)" in notes_of(
        dataset
    )
    assert "1 files in images/ are reached by links that lead out" in notes_of(dataset)


def test_a_folder_of_pictures_that_is_a_link_out_is_left_out(table_folder, tmp_path):
    folder = table_folder(items="item,title\na,Cup\nb,Hat\nc,Bag\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"")
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    dataset = read_dataset(folder)
    assert not any(dataset.items["image_path"])
    assert "1 files in images/ are reached by links that lead out" in notes_of(dataset)


def test_entries_of_image_path_that_name_no_file_are_counted(table_folder):
    folder = table_folder(items=f"item,image_path\na,{'x' * 5000}\nb,../../secret.jpg\nc,\n")
    dataset = read_dataset(folder)
    assert not any(dataset.items["image_path"])
    assert "2 of 2 entries of image_path name no file" in notes_of(dataset)
