"""The check of a dataset and the upload of another, as the first page shows them."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

SLOW = 60


@pytest.fixture(autouse=True)
def runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BASIN_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def check_page():
    from app.panels.overview.own_data import check_report
    from engine.data import read_dataset

    check_report(read_dataset("synthetic:users=20,items=12,interactions=120,image=4,text=0"))


def upload_page():
    from app.panels.overview.own_data import upload

    upload()


def test_the_check_shows_counts_how_it_was_read_and_items():
    page = AppTest.from_function(check_page, default_timeout=SLOW).run()
    assert not page.exception
    words = " ".join(element.value for element in page.markdown)
    assert "Split: at random with seed 0" in words
    assert "format synthetic" in words
    assert page.success[0].value == "Nothing is missing or repeated."


def test_an_upload_is_checked_and_can_be_used(runs_folder):
    page = AppTest.from_function(upload_page, default_timeout=SLOW).run()
    rows = "".join(f"{u},{(u + k) % 7}\n" for u in range(5) for k in range(4))
    page.file_uploader[0].upload("my clicks.csv", f"user,item\n{rows}".encode(), "text/csv").run()
    assert not page.exception
    assert "Format tables: 5 users, 7 items, 20 interactions." in page.success[0].value
    page.button[0].click().run()
    assert page.session_state["dataset"].startswith(str(runs_folder / ".uploads" / "my-clicks-"))


def test_a_broken_upload_is_one_sentence():
    page = AppTest.from_function(upload_page, default_timeout=SLOW).run()
    page.file_uploader[0].upload("a.csv", b"user,item\n1,nan\n", "text/csv").run()
    assert not page.exception
    assert "item is 'nan', a missing value" in page.error[0].value
