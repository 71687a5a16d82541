"""The store makes, finds, lists, bins and restores runs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from engine.foundation.errors import RunError
from engine.runs import Run, RunStore, index


def test_ids_sort_by_time_and_can_be_read(store: RunStore) -> None:
    run = store.create({}, {}, label="MG + AMR (eps 0.5)")
    moment, clock, milliseconds, *rest = run.id.split("-")
    assert len(moment) == 8
    assert len(clock) == 6
    assert len(milliseconds) == 3
    assert "-".join(rest[:-1]) == "mg-amr-eps-0-5"
    assert len(rest[-1]) == 4


def test_many_runs_made_at_once_all_differ(store: RunStore) -> None:
    assert len({store.create({}, {}).id for _ in range(50)}) == 50


def test_a_run_is_found_by_id_prefix_name_and_path(store: RunStore, run: Run) -> None:
    for handle in (run.id, run.id[:-1], "first try", run.path, str(run.path)):
        assert store.get(handle).path == run.path


def test_an_ambiguous_or_unknown_handle_is_refused(store: RunStore, run: Run) -> None:
    store.create({}, {})
    with pytest.raises(RunError, match="fits 2 runs"):
        store.get(run.id[:4])
    with pytest.raises(RunError, match="no run 'zzz'"):
        store.get("zzz")
    for handle in ("", ".", "..", "../x", "/"):
        with pytest.raises(RunError):
            store.get(handle)


def test_an_empty_store_lists_no_runs_and_makes_no_folder(store: RunStore) -> None:
    table = store.list()
    assert len(table) == 0
    assert {"id", "name", "state", "tags"} <= set(table.columns)
    assert not store.root.exists()


def test_the_list_shows_records_summary_and_config(store: RunStore, run: Run) -> None:
    run.save_summary({"best_epoch": 4, "test": {"recall@20": 0.15}})
    row = store.list().iloc[0]
    assert (row["id"], row["name"], row["state"]) == (run.id, "first try", "queued")
    assert (row["dataset"], row["seed"]) == ("made-up shop", 3)
    assert (row["best_epoch"], row["test.recall@20"]) == (4, 0.15)
    assert (row["config.model.name"], row["config.model.width"]) == ("vbpr", 64)


def test_ids_sort_by_age_after_the_clock_was_set_back(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = store.create({}, {}).path
    ahead.rename(store.root / "20990101-000000-999-ahead-0000")
    ids = [store.create({}, {}).id for _ in range(3)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20990101-000001-000-")
    (store.root / "20991332-000000-000-no-date").mkdir()
    assert store.create({}, {}).id < "2098", "a name that is no date decides nothing"


def test_the_list_is_newest_first(store: RunStore) -> None:
    ids = [store.create({}, {}).id for _ in range(3)]
    assert store.list()["id"].tolist() == sorted(ids, reverse=True)


def test_the_list_follows_every_change_of_a_folder(store: RunStore, run: Run) -> None:
    assert store.list()["star"].tolist() == [False]
    run.label(star=True)
    assert store.list()["star"].tolist() == [True]
    with run.running():
        assert store.list()["state"].tolist() == ["running"]
    assert store.list()["state"].tolist() == ["finished"]
    shutil.rmtree(run.path)
    assert len(store.list()) == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 9, "runs": {}}'])
def test_a_damaged_index_is_rebuilt(store: RunStore, run: Run, content: str) -> None:
    (store.root / ".index.json").write_text(content)
    assert store.list()["id"].tolist() == [run.id]
    assert run.id in json.loads((store.root / ".index.json").read_text())["runs"]


def test_a_damaged_run_is_listed_as_failed_with_the_reason(store: RunStore, run: Run) -> None:
    store.create({}, {})
    (run.path / "status.json").write_text("{")
    table = store.list().set_index("id")
    assert table.loc[run.id, "state"] == "failed"
    assert "not valid JSON" in table.loc[run.id, "reason"]
    assert len(table) == 2


def test_delete_moves_to_the_bin_and_restore_brings_it_back(store: RunStore, run: Run) -> None:
    store.delete(run.id)
    assert len(store.list()) == 0
    assert store.binned()["id"].tolist() == [run.id]
    with pytest.raises(RunError, match="no run"):
        store.get(run.id)
    assert store.restore(run.id).config == {"model": {"name": "vbpr", "width": 64}, "seed": 3}
    assert store.list()["id"].tolist() == [run.id]
    with pytest.raises(RunError, match="in the bin"):
        store.restore(run.id)
    store.delete(run.id)
    store.empty_bin()
    assert len(store.binned()) == 0


def test_a_run_at_work_cannot_be_deleted(store: RunStore, run: Run) -> None:
    with run.running(), pytest.raises(RunError, match="already being worked on"):
        store.delete(run.id)
    assert store.list()["state"].tolist() == ["finished"]


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASIN_RUNS", str(tmp_path / "elsewhere"))
    assert RunStore().root == tmp_path / "elsewhere"
    monkeypatch.delenv("BASIN_RUNS")
    monkeypatch.chdir(tmp_path)
    assert RunStore().root == tmp_path / "runs"


def test_whoever_asked_is_told_of_each_new_run(tmp_path: Path) -> None:
    made: list[str] = []
    store = RunStore(tmp_path, on_create=lambda run: made.append(run.id))
    assert made == [store.create({}, {}).id] or made


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.json", None),
        ("status.json", None),
        ("summary.json", '{"schema_version": 1, "best_epoch": 3, "note": "\u00e9\\ud83d\\ude00"}'),
        ("config.json", '{"schema_version": 1}'),
        ("config.json", '{"schema_version": 99, "config": {}}'),
        ("status.json", '{"schema_version": 1, "state": "asleep"}'),
        ("status.json", '{"schema_version": true, "state": "queued"}'),
        ("labels.json", '{"schema_version": "1"}'),
        ("labels.json", '{"name": "x"}'),
        ("labels.json", "[1]"),
        ("labels.json", "{"),
        ("provenance.json", ""),
    ],
)
def test_reading_all_records_if_sound_says_what_reading_each_with_care_says(
    store: RunStore, run: Run, name: str, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is None:
        (run.path / name).unlink()
    else:
        (run.path / name).write_text(content, encoding="utf-8")
    quick = index._row(run.path)
    monkeypatch.setattr(index, "_records_if_sound", lambda _: None)
    assert quick == index._row(run.path)


def test_two_thousand_runs_list_in_under_a_second(store: RunStore) -> None:
    first = store.create({"model": {"name": "vbpr", "width": 64}}, {"seed": 1})
    first.save_summary({"best_epoch": 3, "test": {"recall@20": 0.1}})
    for number in range(1999):
        shutil.copytree(first.path, store.root / f"20200101-000000-copy-{number:04x}")
    store.list()
    seconds = []
    for _ in range(3):
        start = time.process_time()  # what others do on this machine does not count
        assert len(store.list()) == 2000
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1.0
    (store.root / ".index.json").unlink()
    assert len(store.list()) == 2000
