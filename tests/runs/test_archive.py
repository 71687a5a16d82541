"""A zip brings runs out and in; nothing it claims is believed."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path

import pytest
import torch

from engine.foundation.errors import RunError
from engine.foundation.files import locked
from engine.runs import Run, RunStore, archive
from engine.training.recorder import Snapshot

RUN_ID = "20260101-000000-guest-abcd"
CONFIG = json.dumps({"schema_version": 1, "config": {}})


def make_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def everything_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")) if root.exists() else []


def test_runs_come_back_whole_in_another_folder(store: RunStore, run: Run, tmp_path: Path) -> None:
    with run.running():
        run.event("epoch", {"epoch": 0})
        run.save_checkpoint(Snapshot({"w": torch.ones(2)}, {"epoch": 0}))
        run.save_weights({"w": torch.ones(2)})
        run.save_summary({"best_epoch": 0})
    other = store.create({}, {})
    path = store.export_zip([run.id, other.id], tmp_path / "two.zip")
    assert not [name for name in zipfile.ZipFile(path).namelist() if "/." in name]
    guest = RunStore(tmp_path / "guest")
    first, second = guest.import_zip(path)
    assert (first.id, second.id) == (run.id, other.id)
    assert first.config == run.config
    assert first.state == "finished"
    assert torch.equal(first.weights()["w"], torch.ones(2))
    assert first.load_checkpoint() is not None
    assert guest.list()["best_epoch"].tolist().count(0) == 1


def test_a_run_exported_at_work_reads_interrupted_elsewhere(
    store: RunStore, run: Run, tmp_path: Path
) -> None:
    waiting = store.create({}, {})
    with run.running():
        path = store.export_zip([run.id, waiting.id], tmp_path / "two.zip")
        imported = RunStore(tmp_path / "guest").import_zip(path)
        assert [one.state for one in imported] == ["interrupted", "interrupted"]
        assert [one.status.reason for one in imported] == [
            "It was exported while it was running.",
            "It was exported while it was queued.",
        ]
        assert run.state == "running"


def test_a_run_that_is_already_here_is_refused(store: RunStore, run: Run, tmp_path: Path) -> None:
    path = store.export_zip([run.id], tmp_path / "one.zip")
    with pytest.raises(RunError, match="already in"):
        store.import_zip(path)


@pytest.mark.parametrize(
    "name",
    [
        "../config.json",
        "/tmp/config.json",
        f"{RUN_ID}/../../config.json",
        f"{RUN_ID}\\config.json",
        f"{RUN_ID}/checkpoint/../../../x.json",
        f"{RUN_ID}/evil.py",
        f"{RUN_ID}/.lock",
        ".bin/config.json",
        f"{RUN_ID}/results/../config.json",
        f"{RUN_ID}/results/.hidden.npz",
        "C:/config.json",
        f"{RUN_ID}/config.json/x",
    ],
)
def test_a_name_that_is_no_run_file_is_refused(store: RunStore, tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "bad.zip", {f"{RUN_ID}/config.json": CONFIG, name: "x"})
    before = everything_in(tmp_path)
    with pytest.raises(RunError, match="not a file of a run"):
        store.import_zip(path)
    assert everything_in(tmp_path) == sorted([*before, "runs"])


def test_a_link_is_refused(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as target:
        link = zipfile.ZipInfo(f"{RUN_ID}/config.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
    with pytest.raises(RunError, match="not a file of a run"):
        store.import_zip(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_export_does_not_use_is_refused(
    store: RunStore, tmp_path: Path, method: int
) -> None:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", method) as target:
        target.writestr(f"{RUN_ID}/config.json", CONFIG)
    with pytest.raises(RunError, match="not a file of a run"):
        store.import_zip(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_refused(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(f"{RUN_ID}/config.json", CONFIG)
        target.writestr(f"{RUN_ID}/config.json", CONFIG)
    with pytest.raises(RunError, match="twice"):
        store.import_zip(path)


def test_a_zip_that_unpacks_to_too_much_is_refused(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    members = {f"{RUN_ID}/config.json": CONFIG, f"{RUN_ID}/events.jsonl": " " * 2_000_000}
    path = make_zip(tmp_path / "bomb.zip", members)
    assert path.stat().st_size < 20_000
    with pytest.raises(RunError, match="at most 1,000,000 are allowed"):
        store.import_zip(path)


def test_a_zip_that_lies_about_its_sizes_is_refused(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    members = {f"{RUN_ID}/config.json": CONFIG, f"{RUN_ID}/events.jsonl": " " * 2_000_000}
    path = make_zip(tmp_path / "liar.zip", members)
    true_size = (2_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true_size, (10).to_bytes(4, "little")))
    with pytest.raises(RunError):
        store.import_zip(path)
    assert everything_in(store.root) == []


def test_too_many_files_are_refused(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    members = {f"{RUN_ID}/results/a-{n}.npz": "" for n in range(4)}
    with pytest.raises(RunError, match="holds 4 files; at most 3"):
        store.import_zip(make_zip(tmp_path / "many.zip", members))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "holds no run"),
        ({f"{RUN_ID}/summary.json": "{}"}, "config.json does not exist"),
        ({f"{RUN_ID}/config.json": "{"}, "not valid JSON"),
        ({f"{RUN_ID}/config.json": '{"schema_version": 9}'}, "newer Basin"),
        (
            {
                f"{RUN_ID}/config.json": CONFIG,
                f"{RUN_ID}/status.json": '{"schema_version": 1, "state": "x"}',
            },
            "allowed are",
        ),
    ],
)
def test_what_is_not_a_run_is_refused(
    store: RunStore, tmp_path: Path, members: dict[str, str], message: str
) -> None:
    with pytest.raises(RunError, match=message):
        store.import_zip(make_zip(tmp_path / "bad.zip", members))
    assert everything_in(store.root) == []


def test_a_file_that_is_no_zip_is_refused(store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("hello")
    with pytest.raises(RunError, match="not a whole zip"):
        store.import_zip(tmp_path / "x.zip")
    with pytest.raises(RunError, match="does not exist"):
        store.import_zip(tmp_path / "y.zip")


def test_a_run_named_twice_goes_out_once(store: RunStore, run: Run, tmp_path: Path) -> None:
    path = store.export_zip([run.id, run.path, run.name], tmp_path / "x.zip")
    assert [each.id for each in RunStore(tmp_path / "elsewhere").import_zip(path)] == [run.id]


def test_what_a_killed_import_left_goes_with_the_next_import_and_one_at_work_stays(
    store: RunStore, run: Run, tmp_path: Path
) -> None:
    left, at_work = (store.root / f".incoming-{name}" for name in ("left", "at-work"))
    for folder in (left, at_work):
        folder.mkdir()
        (folder / ".lock").touch()
    path = store.export_zip([run.id], tmp_path / "x.zip")
    store.delete(run.id)
    with locked(at_work / ".lock"):
        store.import_zip(path)
    assert not left.exists()
    assert at_work.exists()


def test_exporting_nothing_is_refused(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="name at least one"):
        store.export_zip([], tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
