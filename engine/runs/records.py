"""JSON records of run and job folders: versioned, whole or absent, with errors a person can act on.

Every record carries ``schema_version``. A record of a newer version is never touched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.foundation.errors import BasinError, RunError
from engine.foundation.files import read_json, write_json
from engine.runs.shapes import wrong_shape

SCHEMA_VERSION = 1
"""The version of every record this Basin writes, and the newest that it reads."""


def plain(value: Any) -> Any:
    """The value as JSON types: arrays as lists, NaN and infinity as null, paths as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, torch tensors
        return plain(value.tolist())
    if hasattr(value, "model_dump"):  # a Config
        return plain(value.model_dump(mode="json"))
    raise TypeError(f"{type(value).__name__} has no JSON form")


@contextmanager
def writing(path: Path, error: type[BasinError] = RunError) -> Iterator[None]:
    """Turn a failed write into ``error``: what could not be written, why, and what to do."""
    try:
        yield
    except OSError as cause:
        raise error(
            f"{path} could not be written: {cause.strerror or cause}. What was there before is "
            "unchanged; free some space or check the folder's permissions, then try again."
        ) from cause


def write_record(path: Path, values: Mapping[str, Any], error: type[BasinError] = RunError) -> None:
    """Write one record, whole or not at all; raises ``error`` where the disk refuses."""
    with writing(path, error):
        write_json(path, {"schema_version": SCHEMA_VERSION, **plain(values)})


def read_record(path: Path, error: type[BasinError] = RunError) -> dict[str, Any]:
    """Read one record without its version.

    Raises ``error`` if it is missing, not valid JSON, not an object, of a newer version, or a field
    is not what it should be.
    """
    try:
        values = read_json(path)
    except BasinError as cause:
        raise error(str(cause)) from None
    if not isinstance(values, dict):
        raise error(
            f"{path} holds {type(values).__name__}, not a JSON object; restore or delete it."
        )
    version = values.pop("schema_version", None)
    if not isinstance(version, int):
        raise error(f"{path} lacks a whole number 'schema_version'; restore or delete it.")
    if version > SCHEMA_VERSION:
        raise error(
            f"{path} was written by a newer Basin (schema version {version}, this one reads up to "
            f"{SCHEMA_VERSION}); update Basin. The file was left as it is."
        )
    if problem := wrong_shape(path.name, values):
        raise error(f"{path}: {problem}; restore or delete it.")
    return values


def read_record_or(
    path: Path, default: dict[str, Any], error: type[BasinError] = RunError
) -> dict[str, Any]:
    """Read one record, or give the default where there is none; else raises as read_record."""
    return read_record(path, error) if path.exists() else dict(default)


def as_line(values: Mapping[str, Any]) -> bytes:
    """One record as one line of JSON."""
    return json.dumps(plain(values), allow_nan=False).encode() + b"\n"
