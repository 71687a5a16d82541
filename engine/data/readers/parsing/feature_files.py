"""Feature matrices in .npy files: checked before they are loaded, mapped where they are large."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.foundation.errors import DataError

MAP_ABOVE_BYTES = 512 * 2**20
"""Feature files larger than this are memory-mapped unless the caller says otherwise."""


OTHER_NAMES = {
    **dict.fromkeys(("img", "visual", "vision", "picture", "v"), "image"),
    **dict.fromkeys(("txt", "textual", "t"), "text"),
}
"""What others call a modality: such files are not read as a modality of their own, but named."""


def feature_files(folder: Path, ending: str) -> dict[str, Path]:
    """The files named ``<modality><ending>`` in a folder, by modality in alphabetical order."""
    files = sorted(file for file in folder.glob(f"*{ending}") if file.is_file())
    return {m: f for f in files if is_modality(m := f.name.removesuffix(ending))}


def is_modality(name: str) -> bool:
    """Whether features of this name are read: an identifier and no other word for image or text."""
    return name.isidentifier() and name.lower() not in OTHER_NAMES


def read_features(path: Path, memory_map: bool | None = None) -> np.ndarray:
    """Read features [n_items, width]; never unpickles.

    ``memory_map`` None maps files above MAP_ABOVE_BYTES. Floats of 16, 32 and 64 bits stay as they
    are on disk; whole numbers, booleans and rarer floats become float32 in memory.

    Raises DataError where the file is damaged, cut short, pickled, not two-dimensional, not
    numeric, or holds NaN, infinity or numbers too large for float32.
    """
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header ends in any of ten kinds of error
        raise DataError(
            f"{path} is not a whole .npy file of numbers ({_first_sentence(error)}). It may be cut "
            "short or hold pickled objects, which Basin never loads; write it again with "
            "numpy.save from a float array."
        ) from None
    if not isinstance(x, np.ndarray):
        x.close()
        raise DataError(f"{path} is an archive of arrays; save one array with numpy.save.")
    if x.ndim != 2 or x.shape[1] < 1:
        raise DataError(f"{path} has shape {x.shape}; [n_items, width] is needed.")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path} holds {x.dtype}; floating numbers are needed.")
    if x.dtype.kind == "f" and x.dtype.itemsize > 8:
        check_finite(x, str(path))
    if x.dtype not in (np.float16, np.float32, np.float64):
        x = np.asarray(x, dtype=np.float32)
    elif not (path.stat().st_size > MAP_ABOVE_BYTES if memory_map is None else memory_map):
        x = np.array(x, order="C")
    check_finite(x, str(path))
    return x


def check_finite(x: np.ndarray, source: str) -> None:
    """Raise DataError naming the first value of x [n_items, width] that float32 cannot hold.

    NaN and infinity, and what would become infinite when models read it as float32.
    """
    for start in range(0, len(x), 4096):
        block = x[start : start + 4096]
        is_good = np.abs(block) <= np.finfo(np.float32).max  # false for NaN
        if not is_good.all():
            row, column = np.argwhere(~is_good)[0]
            value = block[row, column]
            why = "too large for float32; " if np.isfinite(value) else ""
            raise DataError(
                f"{source}, row {start + row}, column {column} is {value}, {why}finite numbers up "
                "to 3.4e38 are needed (zeros for a missing picture or text)."
            )


def check_rows(
    features: dict[str, np.ndarray], files: dict[str, Path], n_items: int | None, counted_in: str
) -> int | None:
    """Check that all feature files have one row an item and return that number.

    ``n_items`` is the count found in ``counted_in``, or None where only the features tell.
    Raises DataError naming the file that differs.
    """
    for modality, x in features.items():
        if n_items is not None and len(x) != n_items:
            raise DataError(
                f"{files[modality]} has {len(x)} rows, but {counted_in} has {n_items}; both need "
                "one row for each item, in the order of the item ids."
            )
        n_items, counted_in = len(x), str(files[modality])
    return n_items


def _first_sentence(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
