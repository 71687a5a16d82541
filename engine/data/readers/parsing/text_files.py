"""Text files as UTF-8 lines with one kind of line end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.foundation.errors import DataError

SEPARATORS = {",": "','", "\t": "tabs", ";": "';'", "|": "'|'", "::": "'::'", " ": "spaces"}
"""Separators of fields and how messages call them, in the order in which they are tried."""


def read_text(path: Path) -> str:
    """The whole file without its byte order mark, lines ended by ``\\n`` alone.

    Raises DataError naming the line where the file is not UTF-8 or holds a NUL character.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path} is not UTF-8 but UTF-16 text; save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8 text; the file "
            "may be Latin-1 (Windows-1252) or damaged. Save it as UTF-8."
        ) from None
    if (nul := text.find("\0")) >= 0:
        line = text.count("\n", 0, nul) + 1
        raise DataError(f"{path}, line {line} holds a NUL character; save it as plain text.")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number from 1; raises DataError as read_text does."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line


def line_of_row(path: Path, row: int, header_lines: int) -> int:
    """The line number, from 1, of a data row counted from 0 without blank lines."""
    for index, (number, _) in enumerate(lines_of(path)):
        if index == row + header_lines:
            return number
    raise AssertionError(f"{path} has no row {row}")


def header_of(path: Path, separator: str) -> list[str]:
    """The column names in the first line; raises DataError where it is absent or names repeat."""
    number, line = next(lines_of(path), (0, ""))
    if number == 0:
        raise DataError(f"{path} is empty; it needs a header and one interaction a line.")
    if number > 1:
        raise DataError(f"{path}, line 1 is blank; the header must be there. Delete the line.")
    names = [name.strip() for name in line.split(separator)]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(
            f"{path}, line 1: the column {shorten(repeated)} is there twice; rename one."
        )
    return names


def other_separator(line: str, wanted: str) -> str:
    """``; they seem to be separated by ';'`` where the line has another separator than wanted."""
    for separator, name in SEPARATORS.items():
        if separator != wanted and separator in line.strip():
            return f"; they seem to be separated by {name}"
    return ""


def columns_shown(names: Sequence[str]) -> str:
    """Column names for a message: at most ten, each at most 40 characters."""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(shorten(name) for name in names[:10]) + more


def shorten(value: object) -> str:
    """A value as text for a message: quoted, on one line, at most 40 characters."""
    text = re.sub(r"\s+", " ", str(value))
    return f"'{text[:40]}...'" if len(text) > 40 else f"'{text}'"
