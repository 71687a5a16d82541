"""Files that are whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.foundation.errors import BasinError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on leaving without error it takes its place.

    The data reach the disk before the rename, so a crash leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read one JSON document; raises BasinError naming the file and line where it breaks."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BasinError(f"{path} does not exist.") from None
    except OSError as error:
        raise BasinError(f"{path} could not be read: {error.strerror or error}.") from None
    except RecursionError:
        raise BasinError(f"{path} is nested too deep to be read; restore or delete it.") from None
    except ValueError as error:  # JSON, UTF-8, or a number of thousands of digits
        raise BasinError(f"{path} is not valid JSON: {error}. Restore or delete it.") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the advisory lock on a file, which is made if need be; others wait.

    The kernel frees it however the process ends. Does nothing on a file system without locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
