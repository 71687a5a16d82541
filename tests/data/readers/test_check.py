"""The report on a dataset before it is used."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from engine.data.readers.check import check_dataset


def test_counts_features_and_a_preview_are_reported(mmrec_folder):
    image = np.ones((4, 3), np.float32)
    image[3] = 0
    folder = mmrec_folder(image=image, items_csv="itemID,title\n0,Cup\n1,Hat\n2,Bag\n3,Pen\n")
    check = check_dataset(folder)
    assert check.is_usable
    assert check.format == "MMRec / MG"
    assert check.counts["interactions"] == 6
    assert check.counts["items without a training interaction"] == 1
    assert check.features.set_index("modality").loc["image"].to_dict() == {
        "width": 3,
        "missing": 1,
        "repeated": 3,
    }
    assert list(check.preview["title"]) == ["Cup", "Hat", "Bag", "Pen"]
    assert any("image features of 1 of 4 items are all zero" in w for w in check.warnings)
    json.dumps(check.as_dict())


def test_what_is_dropped_is_said(cornac_folder):
    check = check_dataset(cornac_folder(), min_rating=4)
    text = " ".join(check.notes)
    assert "2 interactions rated below 4" in text
    assert "1 interactions with items that item_ids.txt does not list" in text


def test_pictures_that_cannot_be_shown_are_said(table_folder):
    folder = table_folder()
    (folder / "images").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "images" / "a.png")
    (folder / "images" / "b.png").write_bytes(b"no picture")
    warnings = " ".join(check_dataset(folder).warnings)
    assert "1 of 2 pictures that were tried cannot be shown, the first: " in warnings


def test_what_cannot_be_read_is_a_problem_not_an_error(tmp_path):
    for path, options, words in [
        (tmp_path, {}, "not a dataset that Basin knows"),
        ("~nobody-of-that-name", {}, "not a path that can be opened"),
        ("sample", {"split": "weekly"}, "not a kind of split"),
    ]:
        check = check_dataset(path, **options)
        assert not check.is_usable
        assert words in check.problem
        json.dumps(check.as_dict())
