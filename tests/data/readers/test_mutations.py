"""Damaged folders of all four formats: the same rows, or one sentence; never fewer rows unsaid.

A row is a line of the interaction file that is not blank, below the header where there is one. All
rows of the file are in the dataset, or a note says how many were dropped and why.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from engine.data import Dataset, read_dataset
from engine.foundation.errors import BasinError

TRIES = int(os.environ.get("BASIN_MUTATIONS", "2000"))
"""Mutations over all formats."""
USERS, ITEMS = 6, 9

DROPPED = re.compile(
    r"(\d+) repeated pairs|(\d+) interactions with items that|their (\d+) valid and (\d+) test"
)


def pairs() -> list[tuple[int, int]]:
    return [(u, (u + 2 * k) % ITEMS) for u in range(USERS) for k in range(4)]


def features(folder: Path, *names: str) -> None:
    for name in names:
        np.save(folder / name, np.arange(ITEMS * 3, dtype=np.float32).reshape(ITEMS, 3))


def mmrec(folder: Path) -> list[str]:
    lines = ["userID\titemID\trating\ttimestamp\tx_label"]
    lines += [
        f"{u}\t{i}\t{1 + i % 5}\t{10 * k}\t{k % 4 // 2 + k % 4 // 3}"
        for k, (u, i) in enumerate(pairs())
    ]
    (folder / "a.inter").write_text("\n".join(lines) + "\n")
    rows = [f'{i},"Thing, {i}",c{i % 3}' for i in range(ITEMS)]
    (folder / "items.csv").write_text("itemID,title,category\n" + "\n".join(rows) + "\n")
    features(folder, "image_feat.npy", "text_feat.npy")
    return ["a.inter", "items.csv", "image_feat.npy"]


def amr(folder: Path) -> list[str]:
    (folder / "pos.txt").write_text("".join(f"{u} {i}\n" for u, i in pairs()))
    rows = [[(u + 1) % ITEMS, (u + 3) % ITEMS, (u + 5) % ITEMS] for u in range(USERS)]
    (folder / "neg.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    features(folder, "f_resnet.npy")
    return ["pos.txt", "neg.txt", "f_resnet.npy"]


def cornac(folder: Path) -> list[str]:
    lines = [f"u{u}\ti{i}\t{1 + i % 5}\t{k}" for k, (u, i) in enumerate(pairs())]
    (folder / "rating.txt").write_text("\n".join(lines) + "\n")
    (folder / "item_ids.txt").write_text("".join(f"i{i}\n" for i in range(ITEMS)))
    (folder / "text.txt").write_text("".join(f"i{i}::thing {i}\n" for i in range(ITEMS)))
    features(folder, "image_features.npy")
    return ["rating.txt", "item_ids.txt", "text.txt", "image_features.npy"]


def csv_tables(folder: Path) -> list[str]:
    lines = [
        f'{u},{i},{1 + i % 5},{1500000000 + k},"a ""b"", c"' for k, (u, i) in enumerate(pairs())
    ]
    (folder / "interactions.csv").write_text(
        "user,item,rating,timestamp,title\n" + "\n".join(lines) + "\n"
    )
    rows = [f'{i},"Thing\n{i}",{i}.5,{i}' for i in range(ITEMS)]
    (folder / "items.csv").write_text("item,title,image_0,image_1\n" + "\n".join(rows) + "\n")
    return ["interactions.csv", "items.csv"]


def tsv_tables(folder: Path) -> list[str]:
    lines = [
        f'u{u}\tname "{i}"\ti{i}\t2024-01-{1 + k % 28:02d}' for k, (u, i) in enumerate(pairs())
    ]
    (folder / "interactions.tsv").write_text("user\ttitle\titem\tdate\n" + "\n".join(lines) + "\n")
    return ["interactions.tsv"]


def parquet_tables(folder: Path) -> list[str]:
    users, items = map(list, zip(*pairs(), strict=True))
    table = pa.table({"user": users, "item": items, "rating": [1.0] * len(users), "time": users})
    parquet.write_table(table, folder / "interactions.parquet")
    table = pa.table(
        {
            "item": list(range(ITEMS)),
            "category": pa.array(["a", None, "b"] * 3).dictionary_encode(),
            "image": [[float(i), 1.0] for i in range(ITEMS)],
        }
    )
    parquet.write_table(table, folder / "items.parquet")
    return ["interactions.parquet", "items.parquet"]


FORMATS: dict[str, Callable[[Path], list[str]]] = {
    f.__name__: f for f in (mmrec, amr, cornac, csv_tables, tsv_tables, parquet_tables)
}
TOKENS = [
    *(
        '"',
        '""',
        "'",
        "\t",
        ",",
        ";",
        "::",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\0",
        "\x1f",
        "\x85",
        "\u2028",
    ),
    *("nan", "NULL", "inf", "-1", "1e300", "1e400", "-0", "0x1", "1_0", "9" * 30, "9" * 5000),
    *("\ufeff", "é", "٣", "99999999", "user", "item", "split", "0.5", "2024-13-45", "x" * 2000),
]
HOSTILE_BYTES = [b"\xff", b"\xfe\xff", b"\xe9", b"\x80", b"PAR1", b"\x93NUMPY"]


def mutate(content: bytes, draw: random.Random) -> bytes:
    """The file after one to three random edits of bytes, tokens, lines or fields."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        place = draw.randrange(len(content) + 1)
        lines = content.split(b"\n")
        line = draw.randrange(len(lines))
        kind = draw.randrange(10)
        if kind == 0 and content:
            place = min(place, len(content) - 1)
            content = content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :]
        elif kind == 1:
            content = content[:place] + draw.choice(TOKENS).encode() + content[place:]
        elif kind == 2:
            content = content[:place] + draw.choice(HOSTILE_BYTES) + content[place:]
        elif kind == 3:
            content = content[:place]
        elif kind == 4:
            content = content[:place] + content[place + draw.randrange(1, 12) :]
        elif kind == 5:
            content = b"\n".join([*lines[:line], *lines[line + 1 :]])
        elif kind == 6:
            content = b"\n".join([*lines[:line], lines[line], *lines[line:]])
        elif kind == 7:
            other = draw.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
            content = b"\n".join(lines)
        elif kind == 8:  # a quote opens a field of one or two lines
            for line in draw.sample(range(len(lines)), min(len(lines), draw.choice((1, 2)))):
                separator = draw.choice((b"\t", b","))
                fields = lines[line].split(separator)
                place = draw.randrange(len(fields))
                fields[place] = b'"' + fields[place]
                lines[line] = separator.join(fields)
            content = b"\n".join(lines)
        else:
            separator = draw.choice((b"\t", b",", b" "))
            fields = lines[line].split(separator)
            fields[draw.randrange(len(fields))] = draw.choice(TOKENS).encode()
            lines[line] = separator.join(fields)
            content = b"\n".join(lines)
    return content


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig")


def n_lines(text: str) -> int:
    """Lines that are not blank; line ends inside quotes of tables are part of a field."""
    return sum(bool(line.strip()) for line in text.split("\n"))


def rows_in(folder: Path, name: str) -> int:
    """The rows of an interaction file, by the obvious rule."""
    file = folder / name
    if file.suffix == ".parquet":
        return int(parquet.read_metadata(file).num_rows)
    text = text_of(file)
    if name == "interactions.csv":  # a title may go over lines
        text = re.sub(
            r'(^|(?<=,))"(""|[^"])*"', lambda field: field[0].replace("\n", " "), text, flags=re.M
        )
    if name == "pos.txt":  # each user's held-out item is an interaction, too
        return n_lines(text) + n_lines(text_of(folder / "neg.txt"))
    return n_lines(text) - (name != "rating.txt")


def n_lines_left(folder: Path, name: str, whole: bytes) -> int:
    """Lines of a table below the header that mutation left as they were: each is a row."""
    if not name.endswith((".csv", ".tsv")):
        return 0
    originals = set(whole.decode().split("\n")[1:]) - {""}
    return sum(line in originals for line in text_of(folder / name).split("\n")[1:])


def rows_accounted_for(dataset: Dataset) -> int:
    """Interactions of the dataset and those that notes say were dropped."""
    numbers = [n for note in dataset.notes for m in DROPPED.findall(note) for n in m if n]
    return len(dataset) + sum(map(int, numbers))


@pytest.mark.parametrize("name", FORMATS)
def test_a_mutated_folder_is_read_whole_or_refused_in_one_sentence(tmp_path, name):
    folder = tmp_path / "a"
    folder.mkdir()
    files = FORMATS[name](folder)
    whole = {file: (folder / file).read_bytes() for file in files}
    assert rows_accounted_for(read_dataset(folder)) == rows_in(folder, files[0])
    draw = random.Random(name)
    n_read = 0
    for attempt in range(TRIES // len(FORMATS)):
        file = files[0] if attempt % 2 else draw.choice(files)
        content = mutate(whole[file], draw)
        (folder / file).write_bytes(content)
        try:
            dataset = read_dataset(folder)
        except BasinError as error:
            message = str(error)
            assert message
            assert "\n" not in message, (file, content)
            assert len(message) < 1000, (file, content)
        else:
            n_read += 1
            assert rows_accounted_for(dataset) == rows_in(folder, files[0]), (file, content)
            n_left = n_lines_left(folder, files[0], whole[files[0]])
            assert rows_accounted_for(dataset) >= n_left, (file, content)
        (folder / file).write_bytes(whole[file])
    assert n_read > TRIES // len(FORMATS) // 20  # not everything is refused
