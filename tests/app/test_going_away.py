"""What a page looks at may go away while it is looked at: runs, datasets, the whole folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.jobs import run_here
from engine.runs import RunStore
from engine.studies.new_run import create_run
from engine.training import TrainConfig
from tests.support.pages import PAGES

MAIN = Path(__file__).resolve().parents[2] / "app" / "navigation.py"
DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"


@pytest.fixture
def copied(trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A copy of the runs folder that a test may destroy."""
    shutil.copytree(trained_folder, tmp_path / "copy")
    monkeypatch.setenv("BASIN_RUNS", str(tmp_path / "copy"))
    return RunStore(tmp_path / "copy")


def opened(page: str, **params: str) -> AppTest:
    test = AppTest.from_file(str(MAIN), default_timeout=180)
    test.session_state["dataset"] = params.pop("dataset", DATA)
    for name, value in params.items():
        test.query_params[name] = value
    test.run()
    if page != "overview":
        test.switch_page(f"views/{page}.py").run()
    assert not test.exception, test.exception[0].message
    return test


@pytest.mark.parametrize("page", PAGES)
def test_every_page_lives_through_its_runs_being_deleted(page: str, copied: RunStore) -> None:
    test = opened(page)
    for run in copied.list()["id"]:
        shutil.rmtree(copied.root / run)
    test.run()
    assert not test.exception, test.exception[0].message
    assert any("Not in the runs folder" in warning.value for warning in test.warning)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_lives_through_the_runs_folder_being_deleted(
    page: str, copied: RunStore
) -> None:
    test = opened(page)
    shutil.rmtree(copied.root)
    test.run()
    assert not test.exception, test.exception[0].message


@pytest.mark.parametrize("page", ["landscape", "curvature", "embeddings", "robustness", "compare"])
def test_weights_that_vanish_are_one_message(page: str, copied: RunStore) -> None:
    for run in copied.list()["id"]:
        (copied.root / run / "weights.safetensors").unlink()
    test = opened(page)
    if page == "robustness":
        assert any("weights" in error.value for error in test.error)


@pytest.mark.parametrize("page", ["landscape", "curvature", "embeddings", "robustness"])
def test_a_damaged_result_is_said_and_can_be_computed_again(page: str, copied: RunStore) -> None:
    for path in copied.root.glob("*/results/*.npz"):
        path.write_bytes(path.read_bytes()[:200])
    test = opened(page)
    assert any("It can be computed again" in error.value for error in test.error)
    assert any(button.label.startswith("Compute") for button in test.button)


def test_a_link_to_a_deleted_run_says_so_and_shows_no_other(copied: RunStore) -> None:
    test = opened("overview", runs="20200101-000000-000-gone-abcd")
    assert test.multiselect(key="runs").value == []
    assert "20200101-000000-000-gone-abcd" in test.warning[0].value
    test = opened("compare", runs="20200101-000000-000-gone-abcd")
    assert any("Choose at least one run" in info.value for info in test.info)
    one = sorted(copied.list()["id"])[0]
    test.multiselect(key="runs").set_value([one]).run()
    assert not test.warning


def test_a_link_that_names_one_run_that_is_gone_shows_the_others(copied: RunStore) -> None:
    one = sorted(copied.list()["id"])[0]
    test = opened("overview", runs=f"{one},gone")
    assert test.multiselect(key="runs").value == [one]
    assert "gone" in test.warning[0].value


def test_the_dataset_of_the_runs_going_away_is_one_message(
    tmp_path: Path, nothing: RunStore
) -> None:
    table = tmp_path / "table.csv"
    rows = [f"u{u},i{(u * 7 + k) % 20}" for u in range(30) for k in range(8)]
    table.write_text("user,item\n" + "\n".join(rows) + "\n")
    config = TrainConfig.parse({"model": {"name": "bpr-mf"}, "epochs": 2, "device": "cpu"})
    run = create_run(nothing, str(table), config, "mine")
    job = run_here(nothing, "train", {"run": run.id}, run_ids=[run.id])
    assert job.status().state == "finished", job.status().reason
    table.unlink()
    for page in PAGES:
        test = opened(page, dataset=str(table))
        if page in ("overview", "embeddings", "robustness"):
            assert any("does not exist" in error.value for error in test.error)


def test_a_dataset_path_that_is_mended_is_read(tmp_path: Path, nothing: RunStore) -> None:
    table = tmp_path / "later.csv"
    test = opened("overview", dataset=str(table))
    assert len(test.error) == 1
    rows = [f"u{u},i{(u * 7 + k) % 20}" for u in range(30) for k in range(8)]
    table.write_text("user,item\n" + "\n".join(rows) + "\n")
    test.run()
    assert not test.error
    test = opened("overview", dataset="/no/such/folder")
    box = next(b for b in test.selectbox if b.label == "Dataset")
    box.set_value("sample").run()
    assert not test.error
