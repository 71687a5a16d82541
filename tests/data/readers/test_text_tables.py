"""Text tables: every row of the file is read, or the error names the line."""

from __future__ import annotations

import pytest

from engine.data import read_dataset
from engine.foundation.errors import DataError

ROWS = [(u, (u + k) % 9, f"Thing {k}", 1 + k % 5) for u in range(6) for k in range(5)]


def write(folder, separator=",", ending="csv", titles=None, name="interactions"):
    """30 interactions with a title column; ``titles`` replaces titles by row."""
    lines = [separator.join(("user", "item", "title", "rating"))]
    for row, (user, item, title, rating) in enumerate(ROWS):
        title = (titles or {}).get(row, title)
        lines.append(separator.join((str(user), str(item), title, str(rating))))
    path = folder / f"{name}.{ending}"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "titles",
    [
        {4: '"Heroes'},  # never closed
        {4: '"Heroes', 9: '"Heroes'},  # closed by the next one's opening
        {4: '"Heroes', 9: 'Heroes"'},  # reads as one field over six lines
        {4: '"Heroes" again'},  # closed before the field ends
        {29: '"'},
    ],
)
def test_a_quote_that_would_swallow_lines_is_refused_or_literal(tmp_path, titles):
    first = min(titles) + 2
    with pytest.raises(DataError, match=rf"interactions.csv, line {first}: a field opens with"):
        read_dataset(write(tmp_path, titles=titles))
    dataset = read_dataset(write(tmp_path, "\t", "tsv", titles))
    assert len(dataset) == len(ROWS)
    assert any(f"line {first} opens a quote" in note for note in dataset.notes)


@pytest.mark.parametrize(
    "title",
    ['"a, b"', '"say ""hi"""', '"two\nlines"', '"two\n\nlines, with, commas and more, of, them"'],
)
def test_proper_quotes_keep_separators_and_line_ends(tmp_path, title):
    assert len(read_dataset(write(tmp_path, titles={3: title, 20: title}))) == len(ROWS)


def test_a_quote_inside_a_field_is_a_character(tmp_path):
    assert len(read_dataset(write(tmp_path, titles={3: '5" nail', 7: 'a "b" c'}))) == len(ROWS)


def test_quotes_in_an_item_table_swallow_no_item(table_folder):
    items = 'item,title\na,"Cup\nb,Hat\nc,"Bag\n'
    with pytest.raises(DataError, match=r"items.csv, line 2: a field opens with a quote"):
        read_dataset(table_folder(items=items))


@pytest.mark.parametrize("separator", [";", "\t", "|", "::", " "])
def test_another_separator_is_found_and_named(tmp_path, separator):
    titles = dict.fromkeys(range(len(ROWS)), "Thing")
    usual = read_dataset(write(tmp_path, titles=titles))
    other = read_dataset(write(tmp_path, separator, titles=titles, name="other"))
    assert other.fingerprint == usual.fingerprint
    assert any("other.csv is separated by" in note for note in other.notes)
    assert not any("is separated by" in note for note in usual.notes)


def test_a_header_in_quotes_may_have_another_separator(tmp_path):
    (tmp_path / "a.csv").write_text('"user";"item"\n"1";"2"\n"1";"3"\n')
    assert len(read_dataset(tmp_path / "a.csv")) == 2


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("tiny.inter", "userID,itemID,x_label", "seem to be separated by ','"),
        ("tiny.inter", "userID itemID x_label", "seem to be separated by spaces"),
        ("rating.txt", "1::2::5", r"1 fields separated by tabs.*separated by '::'"),
        ("rating.txt", "1;2;5", "separated by ';'"),
        ("pos.txt", "0,1", r"line 1: field 1 is '0,1'.*separated by ','"),
    ],
)
def test_formats_with_one_separator_say_which_they_found(tmp_path, file, line, message):
    (tmp_path / file).write_text(f"{line}\n{line}\n")
    (tmp_path / "neg.txt").write_text("1 2\n")
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["interactions.CSV", "Interactions.csv"])
def test_endings_in_capitals_are_understood(tmp_path, name):
    write(tmp_path).rename(tmp_path / name)
    assert len(read_dataset(tmp_path)) == len(ROWS)
    assert len(read_dataset(tmp_path / name)) == len(ROWS)


def test_latin_1_and_utf_16_are_refused_with_what_to_do(tmp_path):
    path = write(tmp_path, titles={3: "Café"})
    text = path.read_text()
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"line 5: byte 0xe9 is not UTF-8.*Save it as UTF-8"):
        read_dataset(path)
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(DataError, match=r"UTF-16 text; save it as UTF-8"):
        read_dataset(path)
    path.write_bytes(text.replace("Thing 2", "Thing\0").encode())
    with pytest.raises(DataError, match=r"line \d+ holds a NUL"):
        read_dataset(path)


def test_a_line_cut_short_is_named(tmp_path):
    path = write(tmp_path)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(DataError, match=r"line 31: 3 fields were found, but line 1 has 4"):
        read_dataset(path)


def test_line_ends_and_blank_lines_do_no_harm(tmp_path):
    path = write(tmp_path)
    text, expected = path.read_text(), read_dataset(path).fingerprint
    for other in (
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("\n", "\n \n"),
    ):
        path.write_bytes(b"\xef\xbb\xbf" + other.encode())
        assert read_dataset(path).fingerprint == expected


def test_a_header_with_blanks_around_its_names_is_understood(tmp_path, mmrec_folder):
    (tmp_path / "a.csv").write_text("user , item\n1,2\n1,3\n")
    assert len(read_dataset(tmp_path / "a.csv")) == 2
    folder = mmrec_folder(header="userID \t itemID\trating\ttimestamp\tx_label ")
    assert len(read_dataset(folder)) == 6
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "a.inter").write_text("userID\tuserID\tx_label\n0\t0\t0\n")
    with pytest.raises(DataError, match="line 1: the column 'userID' is there twice"):
        read_dataset(folder)


def test_a_table_too_wide_is_refused(tmp_path):
    names = ["user", "item", *(f"c{k}" for k in range(200_000))]
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    with pytest.raises(DataError, match=r"200,002 columns; at most 20,000"):
        read_dataset(tmp_path / "a.csv")
