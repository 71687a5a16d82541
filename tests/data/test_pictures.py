"""Pictures are decoded only where that is safe; everything else is one sentence."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data.pictures import MAX_BYTES, MAX_PIXELS, open_picture
from engine.foundation.errors import DataError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def picture(size: tuple[int, int] = (20, 10)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_header(width: int, height: int) -> bytes:
    """A PNG of any claimed size whose pixels are missing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + check + b"\0\0\0\x10IDAT"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_the_three_formats_are_read_as_rgb(tmp_path, ending):
    picture().save(tmp_path / f"a.{ending}")
    opened = open_picture(tmp_path / f"a.{ending}")
    assert (opened.mode, opened.size) == ("RGB", (20, 10))


@pytest.mark.parametrize("kind", ["EPS", "GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_another_format_under_a_pictures_name_is_not_decoded(tmp_path, kind, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: started.append(a))
    path = tmp_path / "0.jpg"
    if kind == "EPS":
        path.write_bytes(EPS)
    else:
        picture().save(path, kind)
    with pytest.raises(DataError, match=r"0\.jpg is not a readable picture.*JPEG, PNG and WebP"):
        open_picture(path)
    assert not started


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png is not a readable picture"):
        open_picture(tmp_path / "a.png")


def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(9000, MAX_PIXELS // 9000 + 1))
    with pytest.raises(DataError, match="at most 50 million are decoded"):
        open_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png_header(60_000, 60_000))  # beyond Pillow's own limit
    with pytest.raises(DataError, match=r"b\.png"):
        open_picture(tmp_path / "b.png")
    with open(tmp_path / "c.png", "wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    with pytest.raises(DataError, match="at most 64 MiB are read"):
        open_picture(tmp_path / "c.png")


def test_a_pipe_or_folder_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(DataError, match="not a regular file"):
            open_picture(tmp_path / name)
    with pytest.raises(DataError, match="absent"):
        open_picture(tmp_path / "absent.jpg")


def test_grey_of_16_bits_keeps_its_shades(tmp_path):
    shades = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(shades).save(tmp_path / "a.png")
    opened = np.asarray(open_picture(tmp_path / "a.png"))[..., 0]
    np.testing.assert_array_equal(opened, (shades >> 8).astype(np.uint8))


def test_damaged_pictures_are_read_or_refused_never_a_traceback(tmp_path: Path):
    random_bytes = random.Random(0)
    for ending in ("jpg", "png", "webp"):
        path = tmp_path / f"whole.{ending}"
        picture().save(path)
        whole = path.read_bytes()
        for attempt in range(60):
            damaged = bytearray(whole)
            for _ in range(random_bytes.randrange(1, 6)):
                damaged[random_bytes.randrange(len(damaged))] = random_bytes.randrange(256)
            damaged = damaged[: random_bytes.randrange(1, len(damaged))] if attempt % 3 else damaged
            (tmp_path / f"a.{ending}").write_bytes(damaged)
            with contextlib.suppress(DataError):
                assert open_picture(tmp_path / f"a.{ending}").mode == "RGB"
