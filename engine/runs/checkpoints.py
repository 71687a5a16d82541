"""Checkpoints: numbered folders, each whole when it appears; the newest two are kept.

``checkpoint/000012/`` holds ``tensors.safetensors`` and ``values.json``, which knows the tensors'
checksum. A folder is filled under a temporary name and then renamed, so the newest complete state
is always found; a damaged one is noticed and the one before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import RunError
from engine.runs.records import SCHEMA_VERSION, writing

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training.recorder import Snapshot

WEIGHTS_NAME = "weights.safetensors"

KEPT = 2
"""How many checkpoints stay on disk: the newest, and one to fall back to."""


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write named tensors as safetensors and wait until they reached the disk."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    separate: dict[str, Tensor] = {}
    addresses: set[int] = set()
    for name, tensor in tensors.items():
        copy = tensor.detach().cpu().contiguous()
        storage = copy.untyped_storage().data_ptr()
        separate[name] = copy.clone() if storage in addresses else copy
        addresses.add(storage)
    try:
        save_file(separate, path, metadata={"schema_version": str(SCHEMA_VERSION)})
    except SafetensorError as error:
        raise OSError(None, str(error)) from None
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors to the CPU; raises RunError where the file is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise RunError(f"{path} does not exist.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is not a whole safetensors file ({error}).") from None


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def numbers(self) -> list[int]:
        """Numbers of the complete checkpoints, oldest first."""
        try:
            names = [entry.name for entry in os.scandir(self._folder)]
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdecimal())

    def save(self, snapshot: Snapshot, events_bytes: int) -> None:
        """Keep a state; older ones go only once it is whole. Raises RunError on a failed write."""
        numbers = self.numbers()
        target = self._folder / f"{(numbers[-1] if numbers else 0) + 1:06d}"
        temporary = self._folder / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.partial"
        with writing(target):
            try:
                temporary.mkdir(parents=True)
                tensors = temporary / "tensors.safetensors"
                save_tensors(tensors, snapshot.tensors)
                record = {
                    "schema_version": SCHEMA_VERSION,
                    "sha256": _sha256(tensors),
                    "events_bytes": events_bytes,
                    "values": snapshot.values,
                }
                with open(temporary / "values.json", "w", encoding="utf-8") as handle:
                    json.dump(record, handle)  # infinity and NaN come back as they were
                    handle.flush()
                    os.fsync(handle.fileno())
                os.rename(temporary, target)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        for number in numbers[: -(KEPT - 1) or None]:
            shutil.rmtree(self._folder / f"{number:06d}", ignore_errors=True)

    def load(self) -> tuple[Snapshot, int] | None:
        """The newest whole state and the size of the event log at that time; None if there is none.

        Raises RunError where checkpoints exist but none is whole, or one is of a newer version.
        """
        from engine.training.recorder import Snapshot

        problems = []
        for number in reversed(self.numbers()):
            folder = self._folder / f"{number:06d}"
            try:
                record = _read_values(folder / "values.json")
                tensors = folder / "tensors.safetensors"
                if not tensors.exists() or _sha256(tensors) != record["sha256"]:
                    raise _Damaged(f"{tensors} does not match its checksum")
                snapshot = Snapshot(load_tensors(tensors), record["values"])
                return snapshot, int(record["events_bytes"])
            except _Damaged as problem:
                problems.append(str(problem))
        if problems:
            raise RunError(
                f"No checkpoint in {self._folder} is whole: {'; '.join(problems)}. Delete that "
                "folder to train from the start."
            )
        return None


class _Damaged(Exception):
    """One checkpoint cannot be used; an older one may."""


def _read_values(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["schema_version"]
        if {"sha256", "events_bytes", "values"} - set(record):
            raise KeyError("sha256, events_bytes or values")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _Damaged(f"{path} is not whole ({error})") from None
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{path} was written by a newer Basin (schema version {version}, this one reads up to "
            f"{SCHEMA_VERSION}); update Basin. The file was left as it is."
        )
    return dict(record)


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def weights_fingerprint(run_folder: Path) -> str:
    """SHA-256 of a run's weights file, 16 digits; '' where there is none."""
    path = run_folder / WEIGHTS_NAME
    try:
        stat = path.stat()
        return _cached_sha256(path, stat.st_mtime_ns, stat.st_size, stat.st_ino)[:16]
    except OSError:
        return ""


@lru_cache(maxsize=1024)
def _cached_sha256(path: Path, *_stamp: int) -> str:
    return _sha256(path)
