"""Pictures of items: small copies as data URIs, one by one or all in one sheet."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from PIL import Image, ImageOps

from engine.data.pictures import open_picture
from engine.foundation.errors import DataError

GREY = (205, 212, 216)
"""What stands for a missing picture."""
THUMBNAIL_SIDE = 160
"""Side in pixels of the one copy of each picture that is made and kept."""
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Thumbnail:
    """A small square copy of a picture."""

    jpeg: bytes
    """The copy as a JPEG; empty where there is none."""
    problem: str = ""
    """Why there is none although there is a file."""

    def fitted(self, side: int) -> Image.Image | None:
        """The copy in a square of ``side`` pixels; None where there is none."""
        if not self.jpeg:
            return None
        with Image.open(io.BytesIO(self.jpeg), formats=("JPEG",)) as picture:
            return picture.resize((side, side), Image.Resampling.BICUBIC)


def thumbnail(path: str) -> Thumbnail:
    """The kept copy of a picture file, made again only when the file changed."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return Thumbnail(b"")
    return _thumbnail(path, status.st_mtime_ns, status.st_size)


@st.cache_data(max_entries=20_000, show_spinner=False)
def _thumbnail(path: str, changed_at: int, size: int) -> Thumbnail:
    del changed_at, size  # only part of the key
    try:
        picture = open_picture(path, THUMBNAIL_SIDE)
    except DataError as error:
        return Thumbnail(b"", str(error).replace(path, os.path.basename(path)))
    return Thumbnail(_jpeg(ImageOps.pad(picture, (THUMBNAIL_SIDE,) * 2, color=_WHITE)))


def picture_uri(path: str, side: int = THUMBNAIL_SIDE) -> str:
    """A picture fitted into a square of ``side`` pixels, as a data URI; '' where it is missing."""
    copy = thumbnail(path)
    if side == THUMBNAIL_SIDE or not copy.jpeg:
        return _uri(copy.jpeg)
    picture = copy.fitted(side)
    return "" if picture is None else _uri(_jpeg(picture))


@dataclass(frozen=True)
class Sheet:
    """All items' pictures in one: item i lies in row ``i // columns``, column ``i % columns``."""

    uri: str
    columns: int
    side: int


@st.cache_data(max_entries=4, show_spinner="Collecting pictures ...")
def picture_sheet(paths: list[str]) -> Sheet | None:
    """One sheet of all pictures in item order; None where there are none."""
    if not any(paths):
        return None
    side = 96 if len(paths) <= 1000 else 64 if len(paths) <= 4000 else 40
    columns = max(1, round(len(paths) ** 0.5))
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), GREY)
    for index, path in enumerate(paths):
        picture = thumbnail(path).fitted(side)
        if picture is not None:
            sheet.paste(picture, (index % columns * side, index // columns * side))
    return Sheet(_uri(_jpeg(sheet)), columns, side)


def picture_paths(items: pd.DataFrame) -> list[str]:
    """The picture file of each item, '' where it has none."""
    return [str(path) for path in items["image_path"]]


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80, optimize=True)
    return stream.getvalue()


def _uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""
