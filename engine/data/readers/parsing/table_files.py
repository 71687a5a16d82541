"""Tables in text and Parquet files: every row of the file, or an error that names the line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.readers.parsing.text_files import SEPARATORS, read_text, shorten
from engine.data.readers.parsing.whole_numbers import check_widths
from engine.foundation.errors import DataError

ENDINGS = (".csv", ".tsv", ".parquet")
MAX_ROWS = 50_000_000
MAX_COLUMNS = 20_000
MAX_BYTES = 4 * 2**30
"""Limits of one table: a small Parquet file can hold more than fits in memory."""
BATCH_ROWS = 8192

IsHeader = Callable[[Sequence[str]], bool]
"""Whether column names are those of the table sought; tells which separator is meant."""


@dataclass(frozen=True)
class Table:
    """A table as its file has it."""

    frame: pd.DataFrame
    """One row a row of the file; text files give str columns with '' where empty."""
    lists: dict[str, np.ndarray] = field(default_factory=dict)
    """Columns of equally long lists of numbers, each [rows, length] (Parquet only)."""
    notes: list[str] = field(default_factory=list)


def table_files(folder: Path, stem: str) -> list[Path]:
    """The files ``<stem>.csv``, ``.tsv`` and ``.parquet`` of a folder, in any case, sorted."""
    names = {f"{stem}{ending}" for ending in ENDINGS}
    return sorted(p for p in folder.iterdir() if p.name.lower() in names and p.is_file())


def read_table(path: Path, is_header: IsHeader) -> Table:
    """Read a .csv, .tsv or .parquet file.

    A text file may be separated by something else than its ending says, where that gives a header
    that ``is_header`` accepts; this is noted. Raises DataError where the file is empty, damaged,
    not UTF-8 or above the limits, or a line has another number of fields than the header.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    table = _read_parquet(path) if is_parquet else _read_text_table(path, is_header)
    frame = table.frame
    if frame.empty and not table.lists:
        raise DataError(f"{path} holds no rows; it needs a header and at least one row.")
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"{path}: the column {shorten(repeated[0])} is there twice; rename one.")
    return table


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} cannot be read as a table ({why}); it needs a header and the same number of "
        "fields in every line."
    )


def _check_columns(path: Path, n_columns: int) -> None:
    if n_columns > MAX_COLUMNS:
        raise DataError(
            f"{path} has {n_columns:,} columns; at most {MAX_COLUMNS:,} are read. Keep features in "
            ".npy files."
        )


def _read_text_table(path: Path, is_header: IsHeader) -> Table:
    text = read_text(path)
    first = re.search(r"\S.*", text)
    if first is None:
        raise _unreadable(path, "the file is empty")
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    for separator in (usual, *SEPARATORS):
        header = _fields(first.group(), separator)
        if is_header(header):
            break
    else:
        separator, header = usual, _fields(first.group(), usual)
    _check_columns(path, len(header))
    notes = []
    if separator != usual:
        notes.append(f"{path.name} is separated by {SEPARATORS[separator]} and was read so.")
    if separator in ("::", " "):  # to one character, for the parsers
        pattern = "::" if separator == "::" else r"[^\S\n]+"
        text, separator = re.sub(pattern, "\x1f", text), "\x1f"
    if '"' in text:
        bad_line, rows = _quoted_rows(path, text, separator, len(header))
        if bad_line is None:
            return Table(pd.DataFrame(rows, columns=header, dtype="str"), notes=notes)
        if separator != "\t":
            raise DataError(
                f'{path}, line {bad_line}: a field opens with a quote (") that is not closed '
                "before a separator or line end, so what follows would be swallowed. Close the "
                "quote, double it or remove it."
            )
        header = _fields(first.group(), separator, has_quotes=False)
        notes.append(
            f"{path.name}, line {bad_line} opens a quote that is never closed; quotes were read as "
            "ordinary characters."
        )
    return Table(_unquoted_frame(path, text, separator, header), notes=notes)


def _fields(line: str, separator: str, has_quotes: bool = True) -> list[str]:
    """One line's fields without surrounding blanks."""
    if separator == " ":
        return line.split()
    line = line.replace(separator, "\x1f") if separator == "::" else line
    delimiter = "\x1f" if separator == "::" else separator
    fields = line.split(delimiter)
    if has_quotes:
        with suppress(csv.Error):
            fields = next(csv.reader([line], delimiter=delimiter), [])
    return [name.strip() for name in fields]


def _quoted_rows(
    path: Path, text: str, separator: str, width: int
) -> tuple[int | None, list[list[str]]]:
    """The rows below the header, or the line from which on a quote swallows what follows."""
    lines = text.split("\n")
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    start = 1
    try:
        for row in reader:
            end, spanned = reader.line_num, lines[start - 1 : reader.line_num]
            if len(spanned) > 1 and all(line.count(separator) == width - 1 for line in spanned):
                return start, []  # each of these lines is a row by itself
            if any(line.strip() for line in spanned):
                if len(row) != width:
                    raise _unreadable(
                        path, f"line {start} has {len(row)} fields, the header {width}"
                    )
                rows.append(row)
            start = end + 1
    except csv.Error:
        return start, []
    return None, rows[1:]


def _unquoted_frame(path: Path, text: str, separator: str, header: list[str]) -> pd.DataFrame:
    try:
        check_widths(path, text, separator, len(header))
    except DataError as error:
        raise _unreadable(path, str(error).removeprefix(f"{path}, ").rstrip(".")) from None
    text = re.sub(r"^[^\S\n]*\n", "", text, flags=re.MULTILINE) if "\n" in text else text
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        names=list(range(len(header))),
        skiprows=1,
        index_col=False,
        dtype="str",
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        engine="c",
    )
    return frame.set_axis(header, axis=1)


def _read_parquet(path: Path) -> Table:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            metadata = file.metadata
            _check_columns(path, metadata.num_columns)
            if metadata.num_rows > MAX_ROWS:
                raise DataError(
                    f"{path} has {metadata.num_rows:,} rows; at most {MAX_ROWS:,} are read. Keep "
                    "fewer rows."
                )
            # The metadata of single columns is not asked for: where damaged, it ends the process.
            batches, n_bytes = [], 0
            for batch in file.iter_batches(BATCH_ROWS):
                n_bytes += batch.nbytes
                if n_bytes > MAX_BYTES:
                    raise DataError(
                        f"{path} holds more than {MAX_BYTES / 2**30:g} GiB; keep fewer rows."
                    )
                batches.append(batch)
            table = arrow.Table.from_batches(batches, file.schema_arrow)
            return _plain_columns(path, table)
    except DataError:
        raise
    except (Exception, MemoryError) as error:  # damaged files end in many kinds of error
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise _unreadable(path, why[:200]) from None


def _plain_columns(path: Path, table: object) -> Table:
    """Arrow columns as pandas and NumPy know them; what has no plain form is left out, said."""
    import pyarrow as arrow
    from pyarrow import types

    assert isinstance(table, arrow.Table)
    columns: dict[str, pd.Series] = {}
    lists: dict[str, np.ndarray] = {}
    notes: list[str] = []
    names = [str(name).strip() for name in table.column_names]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"{path}: the column {shorten(repeated)} is there twice; rename one.")
    for name, column in zip(names, table.columns, strict=True):
        if re.fullmatch(r"__index_level_\d+__", name):
            continue  # the row numbers that pandas writes along
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        kind = column.type
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            matrix = _matrix(column)
            if matrix is None:
                notes.append(
                    f"{path.name}: column {name} holds lists that are not equally long lists of "
                    "numbers; it is not read."
                )
            else:
                lists[name] = matrix
        elif types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            notes.append(f"{path.name}: column {name} holds {kind}; it is not read.")
        else:
            columns[name] = column.to_pandas(integer_object_nulls=True, date_as_object=False)
    return Table(pd.DataFrame(columns, index=range(table.num_rows)), lists, notes)


def _matrix(column: object) -> np.ndarray | None:
    """Lists as an array [rows, length]; None where they are not equally long and of numbers."""
    import pyarrow as arrow
    from pyarrow import types

    assert isinstance(column, arrow.ChunkedArray)
    kind = column.type.value_type
    if not (types.is_floating(kind) or types.is_integer(kind)) or column.null_count or not column:
        return None
    lengths = arrow.compute.list_value_length(column).unique().to_pylist()
    values = arrow.compute.list_flatten(column)
    if len(lengths) != 1 or not lengths[0] or values.null_count:
        return None
    return values.to_numpy().reshape(len(column), lengths[0])
