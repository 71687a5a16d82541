"""The events of a run: one JSON object a line, only ever appended.

When a run resumes from a checkpoint, the events after that checkpoint happen again. A ``resumed``
event says up to which byte the earlier ones count; readers leave out what lies between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from engine.foundation.errors import RunError
from engine.runs.records import as_line, writing


class EventLog:
    """Appends to and reads one ``events.jsonl``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._repaired = False

    @property
    def size(self) -> int:
        """Bytes written so far."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, values: Mapping[str, Any]) -> None:
        """Append one event, whole or not at all; raises RunError where the disk refuses."""
        line = as_line(values)
        with writing(self._path):
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                if not self._repaired:
                    _drop_unfinished_line(handle)
                    self._repaired = True
                before = os.fstat(handle).st_size
                try:
                    written = os.write(handle, line)
                    if written < len(line):
                        os.write(handle, line[written:])
                except OSError:
                    os.ftruncate(handle, before)
                    raise
            finally:
                os.close(handle)

    def resume_from(self, size: int) -> None:
        """Say that work resumes from where the log had ``size`` bytes."""
        if self.size > size:
            self.append({"kind": "resumed", "kept_bytes": size})

    def read(self) -> list[dict[str, Any]]:
        """Every event that counts, oldest first; a last line cut short by a crash is left out.

        Raises RunError naming the line where any other line is not a JSON object.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        counted: list[tuple[int, dict[str, Any]]] = []
        start = 0
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            event = _parsed(line, self._path, number)
            if event is not None:
                if event.get("kind") == "resumed":
                    counted = [item for item in counted if item[0] < event.get("kept_bytes", 0)]
                counted.append((start, event))
            start += len(line)
        return [event for _, event in counted]

    def frame(self) -> pd.DataFrame:
        """The events as a table, one a row, nested values under dotted column names."""
        return pd.json_normalize(self.read()) if self.size else pd.DataFrame()


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise RunError(
            f"{path}, line {number} is not a JSON object; restore the file or delete that line."
        )
    return event


def _drop_unfinished_line(handle: int) -> None:
    """Cut off what a crash left after the last line's end."""
    size = os.fstat(handle).st_size
    end = size
    while end > 0:
        start = max(0, end - 65536)
        block = os.pread(handle, end - start, start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
