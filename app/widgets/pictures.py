"""Pictures of items: small copies as data URIs, one by one or all in one sheet."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st
from PIL import Image, ImageOps, UnidentifiedImageError

GREY = (205, 212, 216)
"""What stands for a missing picture."""


@st.cache_data(max_entries=4096, show_spinner=False)
def picture_uri(path: str, side: int = 160) -> str:
    """A picture fitted into a square of ``side`` pixels, as a data URI; '' where it is missing."""
    picture = _open(path, side)
    return "" if picture is None else _uri(picture)


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
        picture = _open(path, side)
        if picture is not None:
            sheet.paste(picture, (index % columns * side, index // columns * side))
    return Sheet(_uri(sheet), columns, side)


def picture_paths(items: pd.DataFrame) -> list[str]:
    """The picture file of each item, '' where it has none."""
    return [str(path) for path in items["image_path"]]


def _open(path: str, side: int) -> Image.Image | None:
    if not path or not Path(path).is_file():
        return None
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (side * 2, side * 2))
            return ImageOps.pad(picture.convert("RGB"), (side, side), color=(255, 255, 255))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
