"""A run that cannot be read is one failed row with the reason, and can be moved to the bin."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from engine.foundation.errors import RunError
from engine.runs import Run, RunStore

VERSION = {"schema_version": 1}

WRONG = {
    "config is a list": ("config.json", VERSION | {"config": []}, "'config' is .*, not an object"),
    "dataset is null": ("provenance.json", VERSION | {"dataset": None}, "'dataset' is None"),
    "fingerprint is a number": (
        "provenance.json", VERSION | {"dataset": {"fingerprint": 3}}, "'dataset.fingerprint' is 3"
    ),
    "tags are numbers": ("labels.json", VERSION | {"tags": [1, "a", None]}, "'tags' is "),
    "name is null": ("labels.json", VERSION | {"name": None}, "'name' is None, not a text"),
    "star is text": ("labels.json", VERSION | {"star": "yes"}, "'star' is 'yes'"),
    "state is a list": ("status.json", VERSION | {"state": ["queued"]}, "'state' is "),
    "metrics are text": ("summary.json", VERSION | {"test": {"recall@20": "good"}}, "'test' is "),
    "a number of 30 digits": (
        "summary.json", VERSION | {"best_epoch": 10**30}, "beyond 64 bits"
    ),
    "a lone surrogate": ("labels.json", VERSION | {"note": "\ud800"}, "lone surrogate"),
    "too many values": ("summary.json", VERSION | {"more": [0] * 20_000}, "more than 10,000"),
}  # fmt: skip

RAW = {
    "nested a hundred thousand deep": '{"schema_version":1,"config":'
    + "[" * 100_000 + "]" * 100_000 + "}",
    "nested forty deep": '{"schema_version":1,"config":' + '{"a":' * 40 + "0" + "}" * 41,
    "a number of 5,000 digits": '{"schema_version":1,"config":{"seed":' + "9" * 5000 + "}}",
    "empty": "",
    "not UTF-8": "\udcff",
}  # fmt: skip


def assert_one_failed_row(store: RunStore, run_id: str, message: str) -> None:
    for _ in ("read", "taken from the index"):
        table = store.list().set_index("id")
        assert table.loc[run_id, ["state", "tags", "note"]].tolist() == ["failed", [], ""]
        assert re.search(message, table.loc[run_id, "reason"])
    assert len(table) == 2, "the other run is listed"
    store.delete(run_id)
    assert run_id not in set(store.list()["id"])
    assert store.binned()["state"].tolist() == ["failed"]


@pytest.mark.parametrize(("record", "values", "message"), WRONG.values(), ids=WRONG)
def test_a_record_of_the_wrong_shape(
    store: RunStore, run: Run, tmp_path: Path, record: str, values: dict, message: str
) -> None:
    store.create({}, {})
    (run.path / record).write_text(json.dumps(values))
    assert_one_failed_row(store, run.id, message)
    store.restore(run.id)
    with pytest.raises(RunError, match=message):
        _ = [run.config, run.provenance, run.labels, run.status, run.summary]
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as zipped:
        members = {"config.json": VERSION | {"config": {}}, record: values}
        for name, content in members.items():
            zipped.writestr(f"r/{name}", json.dumps(content))
    with pytest.raises(RunError, match=message):
        store.import_zip(tmp_path / "run.zip")
    assert len(store.list()) == 2


@pytest.mark.parametrize("text", RAW.values(), ids=RAW)
def test_a_record_that_cannot_be_parsed(
    store: RunStore, run: Run, tmp_path: Path, text: str
) -> None:
    store.create({}, {})
    (run.path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as zipped:
        zipped.write(run.path / "config.json", "r/config.json")
    with pytest.raises(RunError):
        store.import_zip(tmp_path / "run.zip")
    assert_one_failed_row(store, run.id, "JSON|nested|64 bits")


def test_a_loop_of_links_and_a_name_that_is_not_utf8(store: RunStore, run: Run) -> None:
    (store.root / "20200101-loop").symlink_to("20200101-loop")
    assert_one_failed_row(store, "20200101-loop", "symbolic links")
    with pytest.raises(RunError, match="symbolic links"):
        store.restore("20200101-loop")
    store.empty_bin()
    raw = os.fsencode(store.root) + b"/20200101-\xff"
    os.rename(os.fsencode(run.path), raw)
    store.create({}, {})
    assert_one_failed_row(store, "20200101-\\xff", "not UTF-8")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not hold for root")
def test_a_folder_that_may_not_be_opened(store: RunStore, run: Run) -> None:
    store.create({}, {})
    run.path.chmod(0)
    table = store.list().set_index("id")
    assert table.loc[run.id, "state"] == "failed"
    assert "Permission denied" in table.loc[run.id, "reason"]


def test_a_runs_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="name a folder"):
        RunStore(tmp_path / "runs").list()
