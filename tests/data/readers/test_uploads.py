"""Uploads: a zip or a table becomes a folder that is read; nothing gets out of it."""

from __future__ import annotations

import io
import stat
import zipfile

import numpy as np
import pytest

from engine.data import read_dataset
from engine.data.readers import uploads
from engine.data.readers.uploads import keep_upload
from engine.foundation.errors import DataError


def zip_of(files, **attributes) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    stream.seek(0)
    return stream


def files_of(folder, prefix=""):
    return {f"{prefix}{p.name}": p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("prefix", ["", "my shop/"])
def test_a_zip_of_a_folder_is_read(mmrec_folder, tmp_path, prefix):
    folder = mmrec_folder()
    files = files_of(folder, prefix) | {
        f"{prefix}images/0.jpg": b"",
        f"{prefix}run.py": b"",
        ".x": b"",
    }
    kept, notes = keep_upload("../My shop!.zip", zip_of(files), tmp_path / "up")
    assert kept.parent == tmp_path / "up"
    assert kept.name.startswith("My-shop-")
    assert read_dataset(kept).fingerprint == read_dataset(folder).fingerprint
    assert (kept / "images" / "0.jpg").is_file()
    assert not (kept / "run.py").exists()
    assert notes[0].startswith("2 files of other kinds")


@pytest.mark.parametrize("ending", ["csv", "CSV"])
def test_a_table_is_read(tmp_path, ending):
    table = io.BytesIO(b"user,item\n1,2\n1,3\n")
    kept, _ = keep_upload(f"clicks.{ending}", table, tmp_path)
    assert len(read_dataset(kept)) == 2
    table.seek(0)
    again, _ = keep_upload(f"clicks.{ending}", table, tmp_path)
    assert again == kept
    assert [p.name for p in tmp_path.iterdir()] == [kept.name]


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "/etc/a.csv", "a/../../b.csv", "a\\..\\b.csv", "x/\x01.csv", "y" * 300 + ".csv"],
)
def test_names_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="nothing was kept"):
        keep_upload("a.zip", zip_of({name: b"x"}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_links_and_doubles_are_refused(tmp_path):
    link = zip_of({"a.csv": b"/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16)
    with pytest.raises(DataError, match="is a link, encrypted or outside"):
        keep_upload("a.zip", link, tmp_path)
    with pytest.raises(DataError, match=r"holds 'A.csv' twice"):
        keep_upload("a.zip", zip_of({"a.csv": b"1", "A.csv": b"2"}), tmp_path)


def test_sizes_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to more than"):
        keep_upload("a.zip", zip_of({"a.csv": b"0" * 1001}), tmp_path)
    with pytest.raises(DataError, match="holds more than"):
        keep_upload("a.csv", io.BytesIO(b"0" * 1001), tmp_path)
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    with pytest.raises(DataError, match="holds 3 files"):
        keep_upload("a.zip", zip_of({f"{k}.csv": b"" for k in range(3)}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_damaged_zips_are_one_sentence(tmp_path):
    whole = zip_of(
        {"interactions.csv": b"user,item\n1,2\n1,3\n" * 50, "a.npy": b"x" * 90}
    ).getvalue()
    draw = np.random.default_rng(0)
    n_refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), 3):
            damaged[place] = draw.integers(256)
        try:
            keep_upload("a.zip", io.BytesIO(bytes(damaged)), tmp_path)
        except DataError as error:
            n_refused += "\n" not in str(error)
    assert n_refused > 50
    with pytest.raises(DataError, match="not an upload that can be read"):
        keep_upload("a.exe", io.BytesIO(b""), tmp_path)
