"""What lies in a dataset's folder and was not read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from engine.data.readers.parsing.column_names import list_names

_TABLES = (".csv", ".tsv", ".parquet", ".feather", ".inter", ".txt", ".dat", ".json", ".jsonl")
_ARRAYS = (".npy", ".npz", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5")
_DATA_ENDINGS = frozenset((*_TABLES, *_ARRAYS, ".xlsx", ".gz", ".zip"))
_NO_DATA = ("readme", "license", "licence", "datasheet", "requirements", "changelog")


def unread_files(folder: Path, read: Collection[Path], features: str) -> list[str]:
    """A note that names the files of a folder that look like data and are not among ``read``.

    ``features`` says how files of features must be called, where one of them may be meant so.
    """
    names = {path.name for path in read}
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in _DATA_ENDINGS
        and path.name not in names
        and not path.name.lower().startswith((*_NO_DATA, "."))
        and path.is_file()
    )
    if not others:
        return []
    looks_like_features = any(name.lower().endswith(_ARRAYS) for name in others)
    hint = f" Features are read from {features}." if looks_like_features else ""
    return [f"Not read are the files {list_names(others)}.{hint}"]
