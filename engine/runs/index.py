"""The table of all runs, fast: what each folder's records said when they were last read.

The index is only a cache. Every listing looks at every folder; a row is taken from the index only
while its records are the same files as when the row was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from pydantic_core import from_json

from engine.foundation.errors import BasinError
from engine.foundation.files import whole_file
from engine.runs.records import SCHEMA_VERSION, read_record, read_record_or
from engine.runs.status import RunState, RunStatus, seconds_between

INDEX_NAME = ".index.json"
INDEX_VERSION = 1
RECORDS = ("config.json", "provenance.json", "labels.json", "status.json", "summary.json")

Stamp = list[list[int] | None]

FIRST_COLUMNS = (
    "id", "name", "state", "reason", "star", "tags", "note", "dataset", "fingerprint", "seed",
    "device", "created", "started", "ended", "seconds", "path",
)  # fmt: skip


def table_of_runs(root: Path) -> pd.DataFrame:
    """One row a run, newest first; see ``RunStore.list`` for the columns."""
    known = _read_index(root)
    fresh: dict[str, dict[str, Any]] = {}
    for name in _run_folders(root):
        stamp = _stamp(root / name)
        entry = known.get(name)
        if entry is None or entry.get("stamp") != stamp:
            entry = {"stamp": stamp, "row": _row(root / name)}
        fresh[name] = entry
    if fresh != known:
        _write_index(root, fresh)
    rows = [_current(root, name, fresh[name]["row"]) for name in sorted(fresh, reverse=True)]
    frame = pd.DataFrame(rows)
    for column in FIRST_COLUMNS:
        if column not in frame:
            frame[column] = pd.Series(dtype=object)
    others = [column for column in frame.columns if column not in FIRST_COLUMNS]
    return frame[[*FIRST_COLUMNS, *others]]


def _run_folders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except FileNotFoundError:
        return []
    return [name for name in names if (root / name / "config.json").exists()]


def _stamp(folder: Path) -> Stamp:
    """What changes whenever a record of the run is replaced."""
    stamps: Stamp = []
    for record in RECORDS:
        try:
            stat = os.stat(f"{folder}/{record}")
            stamps.append([stat.st_mtime_ns, stat.st_size, stat.st_ino])
        except FileNotFoundError:
            stamps.append(None)
    return stamps


def _row(folder: Path) -> dict[str, Any]:
    """The row as the records tell it; a damaged run shows as ``failed`` with the reason."""
    records = _records_at_once(folder)
    if records is None:
        try:
            records = checked_records(folder)
        except BasinError as error:
            return {"id": folder.name, "name": folder.name, "state": "failed", "reason": str(error)}
    config, provenance, labels, status, summary = records
    config = config.get("config", {})
    dataset = provenance.get("dataset", {})
    return {
        "id": folder.name,
        "name": labels.get("name") or folder.name,
        "state": status.get("state"),
        "reason": status.get("reason", ""),
        "star": bool(labels.get("star", False)),
        "tags": labels.get("tags", []),
        "note": labels.get("note", ""),
        "dataset": dataset.get("name", ""),
        "fingerprint": dataset.get("fingerprint", ""),
        "seed": provenance.get("seed"),
        "device": provenance.get("device", ""),
        "created": status.get("created", ""),
        "started": status.get("started", ""),
        "ended": status.get("ended", ""),
        "seconds": seconds_between(status.get("started", ""), status.get("ended", "")),
        **dict(_flat(summary)),
        **dict(_flat(config, "config.")),
    }


def checked_records(folder: Path) -> list[dict[str, Any]]:
    """The ``RECORDS`` of a run; raises BasinError naming what is wrong with one."""
    status = read_record_or(folder / "status.json", {"state": "interrupted"})
    labels = read_record_or(folder / "labels.json", {})
    provenance = read_record_or(folder / "provenance.json", {})
    summary = read_record_or(folder / "summary.json", {})
    config = read_record(folder / "config.json")
    RunStatus.read(folder)
    return [config, provenance, labels, status, summary]


def _records_at_once(folder: Path) -> list[dict[str, Any]] | None:
    """The same, several times faster, where nothing is wrong; None where something may be.

    Rebuilding the index of thousands of runs is mostly opening and parsing small files.
    """
    found = []
    for name in RECORDS:
        try:
            with open(f"{folder}/{name}", "rb", buffering=0) as file:
                record = from_json(file.read())
            if not 0 < record.pop("schema_version") <= SCHEMA_VERSION:
                return None
        except FileNotFoundError:
            record = {"state": "interrupted"} if name == "status.json" else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        found.append(record)
    known_state = found[RECORDS.index("status.json")].get("state") in get_args(RunState)
    return found if known_state and "config" in found[0] else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values under dotted names; lists stay whole."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif f"{prefix}{key}" not in FIRST_COLUMNS:
            yield f"{prefix}{key}", value


def _current(root: Path, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with what no record can tell: where it lies, and whether it still runs."""
    current = {**row, "path": str(root / name)}
    if row["state"] == "running":
        with suppress(BasinError):
            status = RunStatus.read(root / name)
            current |= {"state": status.state, "reason": status.reason, "seconds": status.seconds}
    return current


def _read_index(root: Path) -> dict[str, dict[str, Any]]:
    """The entries of the index; empty where it is missing, damaged or of another version."""
    try:
        index = from_json((root / INDEX_NAME).read_bytes())
        if index["version"] != INDEX_VERSION:
            return {}
        entries = index["runs"]
        return {name: e for name, e in entries.items() if {"stamp", "row"} <= set(e)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_index(root: Path, entries: dict[str, dict[str, Any]]) -> None:
    text = json.dumps({"version": INDEX_VERSION, "runs": entries})
    # A folder that cannot be written can still be listed.
    with suppress(OSError), whole_file(root / INDEX_NAME) as temporary:
        temporary.write_text(text, encoding="utf-8")
