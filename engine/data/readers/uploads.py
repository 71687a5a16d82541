"""A zip or table that somebody uploads becomes a dataset's folder; nothing in it is trusted."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from engine.data.readers.parsing.table_files import ENDINGS
from engine.foundation.errors import DataError

MAX_FILES = 100_000
MAX_BYTES = 2 * 2**30
"""Most files, and bytes when unpacked, that an upload may hold."""
KEPT_ENDINGS = (*ENDINGS, ".inter", ".txt", ".npy", ".jpg", ".jpeg", ".png", ".webp", ".md")
"""Files that formats read; others in a zip are left out."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PART = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")


def keep_upload(name: str, content: BinaryIO, root: Path) -> tuple[Path, list[str]]:
    """Write an upload into a new folder below ``root``: the folder, and notes on what was left out.

    A table becomes ``interactions.csv`` (.tsv, .parquet) of its folder; of a zip the files that
    formats read are kept, below the one folder that holds all of them where there is one. The same
    content gives the same folder. Raises DataError where it is neither, is too large, or names a
    file outside, twice or as a link.
    """
    ending = PurePosixPath(name).suffix.lower()
    if ending not in (*ENDINGS, ".zip"):
        raise DataError(
            f"'{name[:80]}' is not an upload that can be read; give a .zip of a dataset's folder, "
            "or a table as .csv, .tsv or .parquet."
        )
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(name).stem).strip("-")[:40] or "upload"
    digest = hashlib.sha256()
    while block := content.read(1 << 20):
        digest.update(block)
    folder = root / f"{stem}-{digest.hexdigest()[:8]}"
    content.seek(0)
    partial = root / f".{stem}-{secrets.token_hex(4)}.partial"
    notes: list[str] = []
    try:
        partial.mkdir(parents=True)
        if ending == ".zip":
            notes = _unpack(name, content, partial)
        else:
            _copy(name, content, partial / f"interactions{ending}", MAX_BYTES)
        if not folder.exists():
            partial.rename(folder)
    except OSError as error:
        raise DataError(f"'{name[:80]}' cannot be kept in {root}: {error.strerror}.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder, notes


def _unpack(name: str, content: BinaryIO, target: Path) -> list[str]:
    try:
        with zipfile.ZipFile(content) as archive:
            members, n_left_out = _members(name, archive)
            left = MAX_BYTES  # counted while unpacking: declared sizes may be lies
            for path, member in members.items():
                file = target / path
                file.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source:
                    left -= _copy(name, source, file, left)
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError),
    ) as error:
        raise DataError(f"'{name[:80]}' is not a whole zip file ({error}).") from None
    kinds = ", ".join(KEPT_ENDINGS)
    return [f"{n_left_out} files of other kinds than {kinds} were left out."] if n_left_out else []


def _members(
    name: str, archive: zipfile.ZipFile
) -> tuple[dict[PurePosixPath, zipfile.ZipInfo], int]:
    """The files to keep by their path in the dataset's folder, and how many others there are."""
    files = [member for member in archive.infolist() if not member.is_dir()]
    if len(files) > MAX_FILES:
        raise DataError(f"'{name[:80]}' holds {len(files):,} files; at most {MAX_FILES:,} are.")
    if sum(member.file_size for member in files) > MAX_BYTES:
        raise DataError(f"'{name[:80]}' unpacks to more than {MAX_BYTES / 2**30:g} GiB.")
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for member in files:
        path = PurePosixPath(member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        is_plain = kind in (0, stat.S_IFREG) and member.compress_type in _METHODS
        is_inside = not path.is_absolute() and all(
            part not in ("..", ".") and _PART.fullmatch(part) for part in path.parts
        )
        if not is_plain or not is_inside or member.flag_bits & 0x1:
            raise DataError(
                f"'{name[:80]}' holds {member.filename[:80]!r}, which is a link, encrypted or "
                "outside its folder; nothing was kept."
            )
        if str(path).lower() in seen:
            raise DataError(f"'{name[:80]}' holds {member.filename[:80]!r} twice.")
        seen.add(str(path).lower())
        is_hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        if path.suffix.lower() in KEPT_ENDINGS and not is_hidden:
            members[path] = member
    tops = {path.parts[0] for path in members if len(path.parts) > 1}
    if len(tops) == 1 and all(len(path.parts) > 1 for path in members) and tops != {"images"}:
        members = {PurePosixPath(*path.parts[1:]): m for path, m in members.items()}
    return members, len(files) - len(members)


def _copy(name: str, source: IO[bytes], file: Path, limit: int) -> int:
    """Copy at most ``limit`` bytes and return how many there were."""
    n_bytes = 0
    with open(file, "xb") as sink:
        while block := source.read(1 << 20):
            n_bytes += len(block)
            if n_bytes > limit:
                raise DataError(f"'{name[:80]}' holds more than {MAX_BYTES / 2**30:g} GiB.")
            sink.write(block)
    return n_bytes
