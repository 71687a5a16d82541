"""Runs as one zip, out and in. What comes in is trusted in nothing: names, sizes, links."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path

from engine.foundation.errors import RunError
from engine.foundation.files import locked, whole_file
from engine.runs.records import read_record, read_record_or, write_record, writing
from engine.runs.run import RESULT_NAME
from engine.runs.status import RunStatus

MAX_FILES = 20_000
"""Most files that a zip may hold."""

MAX_BYTES = 8 * 1024**3
"""Most bytes that a zip may unpack to."""

INCOMING, LOCK_NAME = ".incoming-", ".lock"
"""Where a zip is unpacked, and what tells that somebody still does."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_RUN_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
_RUN_FILE = re.compile(
    rf"(?P<run>{_RUN_ID})/(?:"
    r"(?:config|provenance|labels|status|summary)\.json|events\.jsonl|weights\.safetensors|"
    r"checkpoint/[0-9]{6,12}/(?:tensors\.safetensors|values\.json)|"
    r"trajectory/[0-9]{6,12}\.safetensors|"
    rf"results/{RESULT_NAME.pattern})"
)
"""Every name a run folder may hold; nothing else goes in or out."""


def export_runs(folders: list[Path], path: Path) -> Path:
    """Write run folders as one zip, whole or not at all; raises RunError on a failed write."""
    if not folders:
        raise RunError("No run was named; name at least one to export.")
    with (
        writing(path),
        whole_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for folder in folders:
            for file in sorted(folder.rglob("*")):
                name = f"{folder.name}/{file.relative_to(folder).as_posix()}"
                if _RUN_FILE.fullmatch(name) and file.is_file() and not file.is_symlink():
                    archive.write(file, name)
    return path


def import_runs(path: Path, root: Path) -> list[Path]:
    """Unpack the runs of a zip into ``root``, all or none; see ``RunStore.import_zip``."""
    remove_abandoned(root)
    incoming = root / f"{INCOMING}{secrets.token_hex(8)}"
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, incoming, ignore_errors=True)
        with writing(incoming):
            incoming.mkdir()
            stack.enter_context(locked(incoming / LOCK_NAME))
        try:
            with zipfile.ZipFile(path) as archive:
                names = _checked_names(archive, path)
                for run_id in names:
                    if (root / run_id).exists():
                        raise RunError(f"Run {run_id} is already in {root}; delete it first.")
                _unpack(archive, path, incoming)
        except FileNotFoundError:
            raise RunError(f"{path} does not exist.") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise RunError(f"{path} is not a whole zip file ({error}).") from None
        for run_id in names:
            _check_run(incoming / run_id, path)
            _settle(incoming / run_id)
        with writing(root):
            return _move_in(incoming, root, names)


def remove_abandoned(root: Path) -> None:
    """Delete what imports left that were killed while they unpacked."""
    for folder in root.glob(f"{INCOMING}*"):
        with suppress(OSError):
            lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _checked_names(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """The run ids of a zip that holds only run files of allowed size."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if not members:
        raise RunError(f"{path} holds no run.")
    if len(members) > MAX_FILES:
        raise RunError(f"{path} holds {len(members)} files; at most {MAX_FILES} are allowed.")
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        raise RunError(f"{path} unpacks to {total:,} bytes; at most {MAX_BYTES:,} are allowed.")
    runs: dict[str, None] = {}
    seen: set[str] = set()
    for member in members:
        match = _RUN_FILE.fullmatch(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and member.compress_type in _METHODS
        if match is None or not plain or member.flag_bits & 0x1:
            raise RunError(
                f"{path} holds {member.filename!r}, which is not a file of a run; nothing was "
                "imported."
            )
        if member.filename.lower() in seen:
            raise RunError(f"{path} holds {member.filename!r} twice; nothing was imported.")
        seen.add(member.filename.lower())
        runs[match["run"]] = None
    return list(runs)


def _unpack(archive: zipfile.ZipFile, path: Path, target: Path) -> None:
    left = MAX_BYTES  # counted while unpacking: sizes that a zip declares may be lies
    for member in archive.infolist():
        if member.is_dir():
            continue
        file = target / member.filename
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(file, "xb") as sink:
                while block := source.read(1 << 20):
                    left -= len(block)
                    if left < 0:
                        raise RunError(f"{path} unpacks to more than {MAX_BYTES:,} bytes.")
                    sink.write(block)
                sink.flush()
                os.fsync(sink.fileno())


def _check_run(folder: Path, path: Path) -> None:
    """Every record is whole and of a version that this Basin reads."""
    try:
        read_record(folder / "config.json")
        for name in ("provenance", "labels", "summary"):
            read_record_or(folder / f"{name}.json", {})
        RunStatus.read(folder)
    except RunError as error:
        inside = str(error).replace(f"{folder.parent}/", "")
        raise RunError(f"{path} was not imported: {inside}") from None


def _settle(folder: Path) -> None:
    """A run that was exported before its end is at work nowhere here, whoever its record names."""
    record = read_record_or(folder / "status.json", {})
    if record.get("state") in ("queued", "running"):
        reason = f"It was exported while it was {record['state']}."
        write_record(folder / "status.json", record | {"state": "interrupted", "reason": reason})


def _move_in(incoming: Path, root: Path, names: list[str]) -> list[Path]:
    moved: list[Path] = []
    try:
        for run_id in names:
            os.rename(incoming / run_id, root / run_id)
            moved.append(root / run_id)
    except BaseException:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return moved
