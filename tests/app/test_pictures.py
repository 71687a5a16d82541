"""Thumbnails are made once and kept; what is no picture is a blank card with a note."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from app.widgets.items import cards
from app.widgets.items import thumbnails as pictures


@pytest.fixture
def picture_path(tmp_path):
    path = tmp_path / "0.jpg"
    Image.new("RGB", (300, 200), (200, 30, 30)).save(path)
    return str(path)


@pytest.fixture
def openings(monkeypatch):
    """The paths of pictures that were opened."""
    paths = []
    original = pictures.open_picture

    def counting(path, side):
        paths.append(path)
        return original(path, side)

    monkeypatch.setattr(pictures, "open_picture", counting)
    return paths


def test_a_picture_is_decoded_once_for_cards_lists_and_the_sheet(picture_path, openings):
    for side in (160, 96, 160):
        assert pictures.picture_uri(picture_path, side).startswith("data:image/jpeg")
    assert pictures.picture_sheet([picture_path, ""]).columns == 1
    assert openings == [picture_path]


def test_a_picture_that_changed_is_decoded_again(picture_path, openings):
    before = pictures.picture_uri(picture_path)
    Image.new("RGB", (300, 200), (30, 200, 30)).save(picture_path)
    os.utime(picture_path, ns=(1, 1))
    assert pictures.picture_uri(picture_path) != before
    assert len(openings) == 2


def test_what_is_no_picture_is_a_blank_card_that_says_why(tmp_path, openings):
    (tmp_path / "0.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    card = cards._picture(str(tmp_path / "0.jpg"), 160)
    assert "<img" not in card
    assert "picture not readable" in card
    assert "0.jpg is not a readable picture" in card
    assert str(tmp_path) not in card
    cards._picture(str(tmp_path / "0.jpg"), 160)
    assert len(openings) == 1


def test_an_item_without_a_picture_is_a_blank_card_without_a_note():
    assert "not readable" not in cards._picture("", 160)
