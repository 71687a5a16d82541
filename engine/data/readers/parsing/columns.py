"""Text files of numbers: read at the C parser's speed, the bad line looked for only on failure."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.foundation.errors import DataError

_WHOLE_NUMBER = re.compile(r"\s*[+-]?\d{1,18}(\.0*)?\s*")


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number from 1; raises DataError if it is not UTF-8."""
    try:
        with open(path, encoding="utf-8-sig", newline=None) as handle:
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def header_of(path: Path, separator: str) -> list[str]:
    """The column names in the first line; raises DataError where the file is empty."""
    for number, line in lines_of(path):
        if number > 1:
            raise DataError(f"{path}, line 1 is blank; the header must be there. Delete the line.")
        return [name.strip() for name in line.split(separator)]
    raise DataError(f"{path} is empty; it needs a header and one interaction a line.")


def line_of_row(path: Path, row: int, header_lines: int) -> int:
    """The line number, from 1, of a data row counted from 0 without blank lines."""
    for index, (number, _) in enumerate(lines_of(path)):
        if index == row + header_lines:
            return number
    raise AssertionError(f"{path} has no row {row}")


def read_whole_numbers(
    path: Path, separator: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the named int64 columns of a file with a header, or all of a file without (None).

    ``separator`` is one character or ``\\s+`` for any white space. Raises DataError naming the
    line and value where a field is missing or is not a whole number.
    """
    try:
        with warnings.catch_warnings():
            for kind in (pd.errors.ParserWarning, RuntimeWarning):  # a row too long, 1e400
                warnings.simplefilter("error", kind)
            table = pd.read_csv(
                path,
                sep=separator,
                header=None if columns is None else 0,
                index_col=False,
                dtype="int64" if columns is None else dict.fromkeys(columns, "int64"),
                na_filter=False,
                quoting=csv.QUOTE_NONE,
                engine="c",
                low_memory=False,
                encoding="utf-8-sig",
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning, RuntimeWarning) as error:
        _raise_at_bad_line(path, separator, columns)
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from None
    if table.empty:
        raise DataError(f"{path} holds no interactions.")
    return table if columns is None else table[list(columns)]


def _raise_at_bad_line(path: Path, separator: str, columns: Sequence[str] | None) -> None:
    places: list[int] | None = None
    width: int | None = None
    first_line = 0
    for number, line in lines_of(path):
        fields = line.split() if separator == r"\s+" else line.split(separator)
        if width is None:
            width, first_line = len(fields), number
            if columns is not None:
                names = [name.strip() for name in fields]
                places = [names.index(column) for column in columns]
                continue
        if len(fields) != width:
            raise DataError(
                f"{path}, line {number}: {len(fields)} fields were found, but line {first_line} "
                f"has {width}; every line needs the same number. Was the file cut short?"
            )
        for place in places if places is not None else range(width):
            if not _WHOLE_NUMBER.fullmatch(fields[place]):
                what = f"field {place + 1}"
                if columns is not None and places is not None:
                    what = columns[places.index(place)]
                raise DataError(
                    f"{path}, line {number}: {what} is '{fields[place][:40]}'; a whole number is "
                    "needed."
                )
    if width is None:
        raise DataError(f"{path} is empty.")


def check_ids(
    path: Path,
    what: str,
    ids: np.ndarray,
    count: int | None,
    header_lines: int,
    why: str = "",
    ids_a_line: int = 1,
) -> int:
    """Check that ids [N], ``ids_a_line`` from each line, lie in 0..count-1 and return count.

    A ``count`` of None means the largest id + 1; ``why`` says in the error what sets it. Raises
    DataError naming the first bad line, or where ids without a known count are so sparse that they
    cannot be meant as positions.
    """

    def line_of(position: int) -> int:
        return line_of_row(path, position // ids_a_line, header_lines)

    largest = int(ids.max())
    if count is None:
        if largest >= 10 * len(ids) + 1000:
            raise DataError(
                f"{path}, line {line_of(int(ids.argmax()))}: {what} is {largest}, but there are "
                f"only {len(ids)} ids in the file; ids must be numbered from 0 without large gaps. "
                "Renumber them."
            )
        count = largest + 1
    bad = np.flatnonzero((ids < 0) | (ids >= count))
    if len(bad):
        raise DataError(
            f"{path}, line {line_of(int(bad[0]))}: {what} is {ids[bad[0]]}, outside "
            f"0..{count - 1}{why}. Correct the id or the file that sets the limit."
        )
    return count
