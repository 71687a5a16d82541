"""The runs folder: makes, finds, lists, bins, exports and imports runs."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from engine.foundation.errors import BasinError, RunError
from engine.runs.archive import export_runs, import_runs
from engine.runs.index import folder_named, run_folders, table_of_runs
from engine.runs.ownership import Owner, Ownership
from engine.runs.records import write_record, writing
from engine.runs.run import NO_LABELS, Run
from engine.runs.status import RunStatus, now

BIN_NAME = ".bin"

MOMENT = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{3}-")
"""How a run's id begins: when it was made, so that ids sort by age."""

MOMENT_WIDTH = 19


class RunStore:
    """All runs of one folder (``BASIN_RUNS``, else ``./runs``), which is made on first use.

    ``on_create`` is told each run made through this store.
    """

    def __init__(
        self, root: Path | str | None = None, on_create: Callable[[Run], None] | None = None
    ) -> None:
        self.root = Path(root or os.environ.get("BASIN_RUNS") or "runs").absolute()
        self._on_create = on_create

    def __repr__(self) -> str:
        return f"RunStore({str(self.root)!r})"

    def create(
        self,
        config: Mapping[str, Any],
        provenance: Mapping[str, Any],
        name: str = "",
        label: str = "",
        tags: Sequence[str] = (),
    ) -> Run:
        """A new run in state ``queued``; it appears whole or not at all.

        ``label`` (else the name) is the readable part of its id. Raises RunError where the folder
        cannot be written.
        """
        self.root_made()
        temporary = self.root / f".new-{secrets.token_hex(8)}"
        with writing(self.root):
            try:
                temporary.mkdir()
                write_record(temporary / "config.json", {"config": config})
                write_record(temporary / "provenance.json", provenance)
                write_record(
                    temporary / "labels.json", NO_LABELS | {"name": name, "tags": list(tags)}
                )
                status: dict[str, Any] = {"state": "queued", "created": now()}
                status["created_by"] = Owner.here().as_record()
                write_record(temporary / "status.json", status)
                run = Run(_renamed_to_new_id(temporary, self.root, label or name or "run"))
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        if self._on_create is not None:
            self._on_create(run)
        return run

    def root_made(self) -> Path:
        """The runs folder, made if need be; raises RunError where it cannot be."""
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        return self.root

    def get(self, run: str | Path) -> Run:
        """The run of that id, unique beginning of an id, unique name, or folder path.

        Raises RunError where there is none, or more than one.
        """
        text = str(run)
        if text and "/" not in text and not text.startswith("."):
            fitting = self._matching(text)
            if len(fitting) == 1:
                return Run(self.root / fitting[0])
            if fitting:
                raise RunError(
                    f"'{text}' fits {len(fitting)} runs ({', '.join(fitting[:5])}"
                    f"{', ...' if len(fitting) > 5 else ''}); give more of the id."
                )
        with suppress(OSError, ValueError):  # a text that no path can be
            if text and (Path(text) / "config.json").is_file():
                return Run(Path(text).absolute())
        raise RunError(
            f"There is no run '{text}' in {self.root}; `python -m engine list` shows what is there."
        )

    def _matching(self, text: str) -> list[str]:
        folders = run_folders(self.root)
        if text in folders and not folders[text]:
            return [text]
        names = sorted(name for name, problem in folders.items() if not problem)
        begins = [name for name in names if name.startswith(text)]
        if begins:
            return begins
        table = self.list()
        return [str(id_) for id_ in table.loc[table["name"] == text, "id"]]

    def list(self) -> pd.DataFrame:
        """One row a run, newest first.

        Columns: ``id name state reason star tags note dataset fingerprint seed device created
        started ended seconds path``, then the summary's values under dotted names
        (``best_epoch``, ``valid.recall@20``, ...), then the config's as ``config.*``.
        """
        return table_of_runs(self.root)

    def delete(self, run: str | Path) -> None:
        """Move a run to the bin, whole or not; raises RunError while it is being worked on."""
        unreadable = folder_named(self.root, str(run))
        self._move(unreadable or self.get(run).path, self.root / BIN_NAME)

    def restore(self, run_id: str) -> Run:
        """Bring a run back from the bin; raises RunError if it is not there, or cannot be read."""
        folder = self.root / BIN_NAME
        problem = run_folders(folder).get(run_id, "")
        path = folder_named(folder, run_id)
        if problem or path is None:
            raise RunError(problem or f"There is no run '{run_id}' in the bin {folder}.")
        return Run(self._move(path, self.root))

    def binned(self) -> pd.DataFrame:
        """The runs in the bin, as ``list`` shows them."""
        return table_of_runs(self.root / BIN_NAME)

    def empty_bin(self) -> None:
        """Delete what is in the bin for good."""
        with writing(self.root / BIN_NAME):
            if (self.root / BIN_NAME).exists():
                shutil.rmtree(self.root / BIN_NAME)

    def _move(self, path: Path, folder: Path) -> Path:
        target = folder / path.name
        owner = None
        with suppress(BasinError):
            owner = RunStatus.read(path).owner
        lock = Ownership(path, f"Run {path.name}")
        is_folder = path.is_dir() and os.access(path, os.W_OK | os.X_OK)
        if is_folder:  # else nobody can work on it either
            lock.acquire(owner)
        try:
            with writing(target):
                folder.mkdir(parents=True, exist_ok=True)
                if os.path.lexists(target):
                    raise RunError(f"{target} already exists; move it away first.")
                os.rename(path, target)
        finally:
            lock.release()
        return target

    def export_zip(self, runs: Sequence[str | Path], path: Path | str) -> Path:
        """Write runs as one zip; raises RunError where one is missing or the disk refuses."""
        return export_runs(list(dict.fromkeys(self.get(r).path for r in runs)), Path(path))

    def import_zip(self, path: Path | str) -> Sequence[Run]:
        """Add the runs of a zip that ``export_zip`` wrote.

        All or none. Raises RunError where the zip is damaged, too large, holds anything but run
        files, or holds a run that is already here.
        """
        return [Run(folder) for folder in import_runs(Path(path), self.root_made())]


def _renamed_to_new_id(temporary: Path, root: Path, label: str) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40].strip("-") or "run"
    while True:
        target = root / f"{_next_moment(root)}-{slug}-{secrets.token_hex(2)}"
        if target.exists() or (root / BIN_NAME / target.name).exists():
            continue
        try:
            os.rename(temporary, target)
            return target
        except FileExistsError:
            continue
        except OSError:
            if not target.exists():
                raise


def _next_moment(root: Path) -> str:
    """Now, or just after the newest run where the clock was set back, to the millisecond."""
    moment = datetime.now(UTC)
    newest = max(filter(MOMENT.match, os.listdir(root)), default="")[:MOMENT_WIDTH]
    with suppress(ValueError, OverflowError):  # digits that are no date; the year 9999
        last = datetime.strptime(f"{newest}000+0000", "%Y%m%d-%H%M%S-%f%z")
        moment = max(moment, last + timedelta(milliseconds=1))
    return moment.strftime("%Y%m%d-%H%M%S-%f")[:-3]
