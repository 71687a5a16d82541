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

from engine.foundation.errors import BasinError, RunError
from engine.foundation.files import whole_file
from engine.runs.records import SCHEMA_VERSION, read_record, read_record_or
from engine.runs.shapes import wrong_shape
from engine.runs.status import RunState, RunStatus, seconds_between

INDEX_NAME = ".index.json"
INDEX_VERSION = 2
RECORDS = ("config.json", "provenance.json", "labels.json", "status.json", "summary.json")

Stamp = list[list[int] | None]

FIRST_COLUMNS = (
    "id", "name", "state", "reason", "star", "tags", "note", "dataset", "fingerprint", "seed",
    "device", "created", "started", "ended", "seconds", "path",
)  # fmt: skip


def table_of_runs(root: Path) -> pd.DataFrame:
    """One row a run, newest first; see ``RunStore.list`` for the columns.

    Raises RunError where the folder cannot be read; a run that cannot be is a ``failed`` row.
    """
    known = _read_index(root)
    fresh: dict[str, dict[str, Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, problem in run_folders(root).items():
        if problem:
            rows[name] = _failed(name, problem)
            continue
        stamp = _stamp(root / name)
        entry = known.get(name)
        if entry is None or entry.get("stamp") != stamp:
            entry = {"stamp": stamp, "row": _row(root / name)}
        fresh[name] = entry
        rows[name] = entry["row"]
    if fresh != known:
        _write_index(root, fresh)
    frame = pd.DataFrame([_current(root, name, rows[name]) for name in sorted(rows, reverse=True)])
    for column in FIRST_COLUMNS:
        if column not in frame:
            frame[column] = pd.Series(dtype=object)
    others = [column for column in frame.columns if column not in FIRST_COLUMNS]
    return frame[[*FIRST_COLUMNS, *others]]


def run_folders(root: Path) -> dict[str, str]:
    """The names of all runs, and why a folder cannot be looked into ('' where it can).

    A name that is not UTF-8 has its bytes written as ``\\xff``. Raises RunError where ``root``
    cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(
            f"the runs folder {root} could not be read: {error.strerror or error}; name a folder."
        ) from None
    problems = {}
    for name in names:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        try:
            os.stat(f"{root}/{name}/config.json")
            problems[shown] = "" if shown == name else "Its name is not UTF-8; rename the folder."
        except (FileNotFoundError, NotADirectoryError):
            continue  # not a run
        except OSError as error:
            problems[shown] = f"{root}/{shown} could not be read: {error.strerror or error}."
    return problems


def folder_named(root: Path, shown: str) -> Path | None:
    """The folder of a run as ``run_folders`` names it; None where there is none."""
    if shown not in run_folders(root):
        return None
    for name in os.listdir(root):
        if os.fsencode(name).decode("utf-8", "backslashreplace") == shown:
            return root / name
    return None


def _stamp(folder: Path) -> Stamp:
    """What changes whenever a record of the run is replaced."""
    stamps: Stamp = []
    for record in RECORDS:
        try:
            stat = os.stat(f"{folder}/{record}")
            stamps.append([stat.st_mtime_ns, stat.st_size, stat.st_ino])
        except OSError:
            stamps.append(None)
    return stamps


def _failed(name: str, reason: str) -> dict[str, Any]:
    texts = dict.fromkeys(("note", "dataset", "fingerprint", "device"), "")
    times = dict.fromkeys(("created", "started", "ended"), "")
    row = {"id": name, "name": name, "state": "failed", "reason": reason, "star": False}
    return {**row, "tags": [], "seed": None, "seconds": None, **texts, **times}


def _row(folder: Path) -> dict[str, Any]:
    """The row as the records tell it; a damaged run shows as ``failed`` with the reason."""
    records = _records_if_sound(folder)
    if records is None:
        try:
            records = checked_records(folder)
        except BasinError as error:
            return _failed(folder.name, str(error))
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


def _records_if_sound(folder: Path) -> list[dict[str, Any]] | None:
    """The same, several times faster, where nothing is wrong; None where something may be.

    Rebuilding the index of thousands of runs is mostly opening and parsing small files.
    """
    records = []
    for name in RECORDS:
        try:
            with open(f"{folder}/{name}", "rb", buffering=0) as file:
                record = from_json(file.read())
            if not 0 < record.pop("schema_version") <= SCHEMA_VERSION or wrong_shape(name, record):
                return None
        except FileNotFoundError:
            record = {"state": "interrupted"} if name == "status.json" else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        records.append(record)
    known_state = records[RECORDS.index("status.json")].get("state") in get_args(RunState)
    return records if known_state and "config" in records[0] else None


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
