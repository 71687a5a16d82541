"""One reader per format, the table of formats, and the search for datasets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data.dataset import Dataset
from engine.data.readers import amr_folder as amr
from engine.data.readers import builtin
from engine.data.readers import cornac_folder as cornac
from engine.data.readers import mmrec_folder as mmrec
from engine.data.readers import plain_tables as tables
from engine.data.readers.read_options import ReadOptions, read_options, refuse_unused, split_source
from engine.data.splits import RandomSplit, SplitConfig
from engine.data.synthetic import synthetic_from_spec
from engine.foundation.errors import DataError


@dataclass(frozen=True)
class DatasetFormat:
    """One way datasets lie on disk."""

    name: str
    looks_for: str
    """The files that tell this format, in words."""
    recognise: Callable[[Path], bool]
    """Looks at file names only."""
    read: Callable[[Path, ReadOptions], Dataset]
    understands: frozenset[str]
    """Which of ``min_rating`` and ``valid`` mean something here; the others are refused."""


_RATED = frozenset({"min_rating"})

FORMATS: tuple[DatasetFormat, ...] = (
    DatasetFormat("MMRec / MG", mmrec.LOOKS_FOR, mmrec.recognise, mmrec.read, _RATED),
    DatasetFormat("AMR", amr.LOOKS_FOR, amr.recognise, amr.read, frozenset({"valid"})),
    DatasetFormat("Cornac", cornac.LOOKS_FOR, cornac.recognise, cornac.read, _RATED),
    DatasetFormat("tables", tables.LOOKS_FOR, tables.recognise, tables.read, _RATED),
)
"""All formats, in the order in which they are tried. A new format is a file and a line here."""


def read_dataset(
    path: str | Path,
    split: SplitConfig | str | None = None,
    *,
    min_rating: float | None = None,
    seed: int | None = None,
    valid: str | None = None,
    memory_map: bool | None = None,
) -> Dataset:
    """Read a dataset of any format.

    ``path`` is a folder or table file, ``sample`` (or ``sample:shop``) for the built-in sample, or
    ``synthetic:users=200,items=100,interactions=3000,image=64,text=32,seed=0``. ``split`` (a config
    or its name) pools all interactions and splits them anew; None takes the split the files give,
    or the format's default. ``min_rating`` leaves lower ratings out. ``seed`` decides a split that
    draws. ``valid`` ('leave_one_out', 'ratio' or 'none') says where an AMR folder's validation
    comes from. ``memory_map`` keeps features on disk; None does so above 512 MiB.

    Options can also be written behind the path, ``folder?split=random&seed=3&min_rating=4``, and
    ``Dataset.source`` writes them so: reading a source again gives the same data. ``Dataset.notes``
    says which split was made, by which column, and what was dropped, merged or left unread.

    Raises DataError where nothing is recognised, saying what was looked for and what is there, or
    where the files do not fit their format, naming file, line and value, or where a format has no
    use for an option; ConfigError where an option's value is not allowed.
    """
    source, options = read_options(os.fspath(path), split, min_rating, seed, valid, memory_map)
    kind = source.partition(":")[0]
    if kind == "synthetic":
        refuse_unused(options, frozenset(), "synthetic")
        drawn = RandomSplit(seed=options.seed) if options.seed is not None else None
        return synthetic_from_spec(source, options.split or drawn, options.source)
    place = source_place(source)
    try:
        known = _recognise(place)
        if known is None:
            raise DataError(_why_unrecognised(place))
        refuse_unused(options, known.understands, known.name)
        return known.read(place, options)
    except OSError as error:
        raise DataError(f"{_short(place)} cannot be read: {error.strerror or error}.") from None


def format_of(path: str | Path) -> str:
    """The name of a dataset's format, '' where none is recognised; looks at file names only."""
    place, _ = split_source(os.fspath(path))
    if place.partition(":")[0] == "synthetic":
        return "synthetic"
    known = _recognise(source_place(place))
    return known.name if known else ""


def released_negatives(dataset: Dataset) -> np.ndarray:
    """The fixed negatives of each user that an AMR folder was released with, int64 [n_users, N].

    Raises DataError where the dataset is of another format or split.
    """
    if format_of(dataset.source) != "AMR":
        raise DataError(
            f"'{dataset.name}' has no released negatives; only AMR folders (neg.txt) have. Give a "
            "number of negatives to draw."
        )
    return amr.released_negatives(source_place(dataset.source), dataset)


def dataset_source(
    path: str | Path,
    split: SplitConfig | str | None = None,
    *,
    min_rating: float | None = None,
    seed: int | None = None,
    valid: str | None = None,
) -> str:
    """A path with options of reading as one line, as ``Dataset.source`` writes it.

    What is given beside the path goes before what is written behind it. Raises ConfigError as
    read_dataset does; reads nothing.
    """
    return read_options(os.fspath(path), split, min_rating, seed, valid, None)[1].source


def source_place(source: str) -> Path:
    """The folder or file that a dataset's source names; raises DataError as read_dataset does."""
    place, _ = split_source(source)
    if place.partition(":")[0] == "sample":
        return builtin.sample_path(place)
    try:
        path = Path(place).expanduser()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, ~nobody
        why = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{_short(place)} is not a path that can be opened: {why}.") from None
    return path


def _short(place: str | Path) -> str:
    """A path in a message: escaped where it is not printable, at most 120 characters."""
    text = str(place)
    text = text if text.isprintable() else repr(text)
    return f"{text[:120]}..." if len(text) > 120 else text


def find_datasets(roots: Iterable[str | Path] | None = None) -> list[tuple[str, str]]:
    """List (label, path) of the built-in sample and of every dataset folder found in the roots.

    A root is itself listed if it is a dataset; else the folders directly inside are looked at, by
    file names only. ``roots`` None takes the folders named in the environment's BASIN_DATA, and
    ``data`` and ``../shared/data`` beside the working directory. Roots that are absent or closed
    are passed over. Paths are absolute and can be given to read_dataset.
    """
    datasets: dict[str, str] = {}
    if (builtin.SAMPLES / builtin.DEFAULT_SAMPLE).is_dir():
        datasets[f"sample:{builtin.DEFAULT_SAMPLE}"] = f"{builtin.DEFAULT_SAMPLE} (built-in sample)"
    for root in default_roots() if roots is None else map(Path, roots):
        for folder in (root, *_folders_in(root)):
            if _recognise(folder) is not None:
                datasets.setdefault(os.path.abspath(folder), folder.absolute().name)
                if folder == root:
                    break
    labels = list(datasets.values())
    return [
        (label if labels.count(label) == 1 else f"{label} ({os.path.dirname(path)})", path)
        for path, label in datasets.items()
    ]


def default_roots() -> list[Path]:
    """The folders where datasets are looked for: BASIN_DATA, ``data`` and ``../shared/data``."""
    named = [Path(p).expanduser() for p in os.environ.get("BASIN_DATA", "").split(os.pathsep) if p]
    return [*named, Path("data"), Path("../shared/data")]


def _folders_in(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return []


def _recognise(path: Path) -> DatasetFormat | None:
    try:
        return next((known for known in FORMATS if known.recognise(path)), None)
    except OSError:  # a folder that may not be looked into
        return None


def _why_unrecognised(path: Path) -> str:
    if not path.exists():
        return (
            f"{_short(path)} does not exist. Give a dataset's folder, a .csv, .tsv or .parquet "
            "file, 'sample' or 'synthetic:users=200,items=100,interactions=3000'."
        )
    looked_for = "; ".join(f"{known.name}: {known.looks_for}" for known in FORMATS)
    if path.is_file():
        return (
            f"{path} is a file of a kind that is not read alone; give its folder, or a .csv, .tsv "
            f"or .parquet file. Formats: {looked_for}."
        )
    try:
        names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    except OSError as error:
        return f"{path} cannot be listed: {error.strerror}."
    there = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return (
        f"{path} is not a dataset that Basin knows. Looked for {looked_for}. Found "
        f"{there or 'an empty folder'}. Rename the files to match one format."
    )
