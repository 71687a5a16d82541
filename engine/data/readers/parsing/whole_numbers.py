"""Text files of whole numbers: read at the C parser's speed; the bad line is sought on failure."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.readers.parsing.text_files import (
    header_of,
    line_of_row,
    lines_of,
    other_separator,
    read_text,
    shorten,
)
from engine.foundation.errors import DataError

_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}(\.0*)?\s*")


def read_whole_numbers(
    path: Path,
    separator: str,
    columns: Sequence[str] | None = None,
    text_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """Read the named int64 columns of a file with a header, or all of a file without (None).

    ``separator`` is one character or ``\\s+`` for any white space; ``text_columns`` are read beside
    as str. Raises DataError naming the line and value where a field is missing or is not a whole
    number.
    """
    names = None if columns is None else header_of(path, separator)
    text = read_text(path)
    try:
        if names is not None:
            check_widths(path, text, separator, len(names))
        with warnings.catch_warnings():
            for kind in (pd.errors.ParserWarning, RuntimeWarning):  # a row too long, 1e400
                warnings.simplefilter("error", kind)
            table = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=None if names is None else 0,
                names=names,
                index_col=False,
                usecols=None if columns is None else [*columns, *text_columns],
                dtype="int64"
                if columns is None
                else dict.fromkeys(columns, "int64") | dict.fromkeys(text_columns, "str"),
                na_filter=False,
                quoting=csv.QUOTE_NONE,
                engine="c",
                low_memory=False,
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning, RuntimeWarning) as error:
        _raise_at_bad_line(path, separator, columns)
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from None
    if table.empty:
        raise DataError(f"{path} holds no interactions.")
    return table


def check_widths(path: Path, text: str, separator: str, width: int) -> None:
    """Check that each line that is not blank has ``width`` fields; quotes have no meaning.

    ``separator`` is one ASCII character. Raises DataError naming the first line that differs.
    """
    content = np.frombuffer(text.encode(), dtype=np.uint8)
    ends = np.flatnonzero(content == ord("\n"))
    if not text.endswith("\n"):
        ends = np.append(ends, len(content))
    separators = np.flatnonzero(content == ord(separator))
    counts = np.diff(np.searchsorted(separators, ends), prepend=0)
    for line in np.flatnonzero(counts != width - 1):
        start = int(ends[line - 1]) + 1 if line else 0
        if content[start : ends[line]].tobytes().strip():
            raise DataError(
                f"{path}, line {line + 1}: {counts[line] + 1} fields were found, but line 1 has "
                f"{width}; every line needs the same number. Was the file cut short?"
            )


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
                hint = other_separator(line, "\t" if separator == r"\s+" else separator)
                raise DataError(
                    f"{path}, line {number}: {what} is {shorten(fields[place])}; a whole number "
                    f"is needed{hint if len(fields) == 1 else ''}."
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


def dense_ids(ids: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Number the ids that occur from 0: codes int64 [N], the id of each code, and notes.

    Ids that never occur (numbering from 1, gaps) would be rows without data; they are counted in a
    note.
    """
    labels, codes = np.unique(ids, return_inverse=True)
    n_absent = int(labels[-1]) + 1 - len(labels)
    notes = []
    if n_absent:
        notes.append(
            f"{n_absent} of the {what} ids from 0 to {labels[-1]} occur nowhere and were left out; "
            f"the {len(labels)} others were renumbered from 0 in order."
        )
    return codes.astype(np.int64), labels, notes
