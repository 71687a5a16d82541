"""Picture files, opened with care: three formats, a limit on size, nothing but regular files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.foundation.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP")
"""Formats that are decoded, whatever a file is called: others may start outside programs."""
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20


def open_picture(path: Path | str, side: int | None = None) -> Image:
    """One picture as RGB with 8 bits a channel; 16-bit grey is scaled, not cut.

    With ``side`` a JPEG may be decoded smaller, but not below twice that side. Raises DataError
    where the file is absent, not a regular file, of another format, damaged, or above MAX_PIXELS
    or MAX_BYTES; the size is looked at before anything is decoded.
    """
    from PIL import Image

    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is not a regular file, so it is not opened as a picture.")
        if status.st_size > MAX_BYTES:
            raise DataError(
                f"{path} has {status.st_size / 2**20:.0f} MiB; pictures of at most "
                f"{MAX_BYTES // 2**20} MiB are read. Save it smaller."
            )
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{path} has {width} x {height} pixels; at most {MAX_PIXELS / 1e6:.0f} million "
                    "are decoded. Save it smaller."
                )
            if side is not None:
                picture.draft("RGB", (side * 2, side * 2))
            return _eight_bits(picture).convert("RGB")
    except DataError:
        raise
    except (Exception, MemoryError) as error:  # damaged files end in many kinds of error
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is not a readable picture ({why}); JPEG, PNG and WebP are read."
        ) from None


def _eight_bits(picture: Image) -> Image:
    """A picture of 16 bits a pixel scaled to 8; any other as it is."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture, dtype=np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
