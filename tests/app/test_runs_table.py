"""Buttons of the runs table: export, import, delete, bring back, and emptying the bin."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.runs import RunStore


def page(ticked: list[str]) -> None:
    """The table's buttons, with some runs ticked."""
    from app.panels.runs import runs_table
    from app.selection.workspace import run_store
    from app.widgets.error_boundary import show_errors

    with show_errors():
        table = run_store().list()
        runs_table.actions(table[table["id"].isin(ticked)])


def opened(*ticked: str) -> AppTest:
    test = AppTest.from_function(page, args=(list(ticked),), default_timeout=180).run()
    assert not test.exception, test.exception[0].message
    return test


def press(test: AppTest, label: str) -> AppTest:
    next(b for b in test.button if b.label == label).click().run()
    assert not test.exception, test.exception[0].message
    return test


@pytest.fixture
def store(nothing: RunStore) -> RunStore:
    for name in ("first", "second"):
        run = nothing.create({"epochs": 1}, {"dataset": {"name": "shop"}, "seed": 0}, name=name)
        run.end("finished")
    return nothing


def ids(store: RunStore) -> dict[str, str]:
    table = store.list()
    return dict(zip(table["name"], table["id"], strict=True))


def test_without_a_tick_nothing_can_be_done_to_a_run(store: RunStore) -> None:
    test = opened()
    states = {b.label: b.disabled for b in test.button}
    assert states["Look at"]
    assert states["Delete"]
    assert test.download_button[0].disabled


def test_deleted_runs_wait_in_the_bin_and_come_back(store: RunStore) -> None:
    first = ids(store)["first"]
    press(opened(first), "Delete")
    assert list(ids(store)) == ["second"]
    test = opened()
    test.multiselect[0].set_value([first]).run()
    press(test, "Restore")
    assert set(ids(store)) == {"first", "second"}
    assert store.binned().empty


def test_emptying_the_bin_is_for_good_and_spares_the_rest(store: RunStore) -> None:
    press(opened(ids(store)["first"]), "Delete")
    press(opened(), "Empty the bin for good")
    assert store.binned().empty
    assert list(ids(store)) == ["second"]


def test_a_run_at_work_is_not_deleted_and_the_page_says_why(store: RunStore) -> None:
    run = store.get("first")
    with run.running():
        test = press(opened(run.id), "Delete")
        assert len(test.error) == 1
        assert "already being worked on" in test.error[0].value
    assert set(ids(store)) == {"first", "second"}


def test_what_is_exported_can_be_imported_elsewhere(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.panels.runs.runs_table import export_zip

    first = ids(store)["first"]
    assert not opened(first).download_button[0].disabled
    content = export_zip([first])
    monkeypatch.setenv("BASIN_RUNS", str(tmp_path / "elsewhere"))
    test = opened()
    test.file_uploader[0].set_value(("runs.zip", content, "application/zip")).run()
    press(test, "Add its runs")
    assert not test.error
    assert list(ids(RunStore())) == ["first"]
    assert RunStore().get(first).config == store.get(first).config


@pytest.mark.parametrize("kind", ["no zip", "a foreign file", "here already"])
def test_a_zip_that_is_refused_is_one_clear_error_and_adds_nothing(
    store: RunStore, tmp_path: Path, kind: str
) -> None:
    from app.panels.runs.runs_table import export_zip

    content = b"not a zip"
    if kind == "here already":
        content = export_zip([ids(store)["first"]])
    elif kind == "a foreign file":
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            archive.writestr("../evil.json", "{}")
        content = (tmp_path / "z.zip").read_bytes()
    before = ids(store)
    test = opened()
    test.file_uploader[0].set_value(("runs.zip", content, "application/zip")).run()
    press(test, "Add its runs")
    assert len(test.error) == 1
    says = {"no zip": "not a whole zip", "a foreign file": "not a file of a run",
            "here already": "is already in"}[kind]  # fmt: skip
    assert says in test.error[0].value
    assert ids(store) == before
