"""A result is data: named arrays with axes and units, the config that made it, a version."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from engine.foundation.errors import ResultError
from engine.foundation.files import whole_file


@dataclass(frozen=True)
class Result:
    """Base of every analysis's outcome; subclasses are frozen dataclasses of arrays and plain data.

    Array fields are NumPy arrays; all other fields are JSON values. ``axes`` names each array's
    axes and ``units`` its unit. Saved as one ``.npz`` that NumPy alone can read: every array under
    its field's name, all else as JSON under ``__meta__``.
    """

    kind: ClassVar[str] = ""
    schema_version: ClassVar[int] = 1
    axes: ClassVar[dict[str, tuple[str, ...]]] = {}
    units: ClassVar[dict[str, str]] = {}

    config: dict[str, Any] = field(kw_only=True, default_factory=dict)
    """The config that made this result, as plain values."""
    provenance: dict[str, Any] = field(kw_only=True, default_factory=dict)
    """What it was computed on: runs, dataset fingerprint, counts, seconds."""

    def to_frame(self) -> pd.DataFrame:
        """The result as one tidy table, one observation a row."""
        raise TypeError(f"{type(self).__name__} declares no table")

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tidy tables of the result by name; ``''`` is that of ``to_frame``."""
        return {"": self.to_frame()}

    def plain(self) -> dict[str, Any]:
        """Further plain values for JSON output, beside the tables."""
        return {}

    @property
    def caption(self) -> str:
        """What is seen, and what it does not prove; every figure of it carries this."""
        raise TypeError(f"{type(self).__name__} declares no caption")

    def save(self, path: Path) -> None:
        """Write to ``path`` (.npz), whole or not at all."""
        arrays: dict[str, np.ndarray] = {}
        plain: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                arrays[item.name] = value
            else:
                plain[item.name] = value
        meta = {
            "kind": self.kind,
            "schema_version": self.schema_version,
            "axes": {name: list(axes) for name, axes in self.axes.items()},
            "units": self.units,
            "fields": plain,
        }
        text = np.array(json.dumps(meta))
        with whole_file(path) as temporary, open(temporary, "wb") as handle:
            np.savez_compressed(handle, __meta__=text, **arrays)  # type: ignore[arg-type]  # numpy: allow_pickle

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a saved result of this class.

        Raises ResultError if the file is missing, damaged, of another kind or of a newer version.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                meta = json.loads(str(archive["__meta__"]))
                arrays = {name: archive[name] for name in archive.files if name != "__meta__"}
            kind, version, plain = meta["kind"], int(meta["schema_version"]), dict(meta["fields"])
        except FileNotFoundError:
            raise ResultError(f"{path} does not exist; compute it again.") from None
        except (
            Exception
        ) as error:  # NumPy, zipfile and zlib raise some dozen kinds for flipped bytes
            raise _damaged(path, error) from None
        if kind != cls.kind:
            raise ResultError(f"{path} holds a '{kind}' result, not '{cls.kind}'.")
        if version > cls.schema_version:
            raise ResultError(
                f"{path} was written by a newer Basin (version {version} of '{cls.kind}', this one "
                f"reads up to {cls.schema_version}); update Basin."
            )
        known = {item.name for item in dataclasses.fields(cls)}
        values = {k: v for k, v in {**plain, **arrays}.items() if k in known}
        for name, axes in cls.axes.items():
            array = values.get(name)
            if array is not None and np.size(array) and np.ndim(array) != len(axes):
                raise _damaged(path, f"'{name}' has {np.ndim(array)} axes, not {len(axes)}")
        try:
            return cls(**values)
        except TypeError as error:  # a field is missing
            raise _damaged(path, error) from None


def _damaged(path: Path, problem: object) -> ResultError:
    return ResultError(f"{path} is not a whole result file ({problem}); compute it again.")
