"""Jobs that belong together, in stages: ``<root>/.jobs/.groups/<id>.json`` and a list a stage."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.foundation.errors import JobError
from engine.foundation.files import read_json, write_json
from engine.jobs.cluster_address import JOBS_NAME
from engine.runs import RunStore
from engine.runs.ownership import Owner
from engine.runs.records import writing

GROUPS_NAME = ".groups"


class Group:
    """The runs of one group and, by stage, the ids of its jobs; read anew at every call."""

    def __init__(self, store: RunStore, group_id: str) -> None:
        self.id = group_id
        self._folder = store.root / JOBS_NAME / GROUPS_NAME
        self._path = self._folder / f"{group_id}.json"
        if not self._path.is_file():
            raise JobError(f"There is no group '{group_id}' in {store.root}.")

    @classmethod
    def create(cls, store: RunStore, group_id: str, runs: Sequence[str], **more: Any) -> Group:
        """A new group; raises JobError where it cannot be written."""
        path = store.root / JOBS_NAME / GROUPS_NAME / f"{group_id}.json"
        with writing(path, JobError):
            write_json(path, {**more, "runs": list(runs), "by": Owner.here().as_record()})
        return cls(store, group_id)

    @property
    def record(self) -> dict[str, Any]:
        """``runs``, ``by`` (the process that started it) and what else it was created with."""
        return dict(read_json(self._path))

    @property
    def starter_is_gone(self) -> bool:
        """Whether the process that started it is known to have ended."""
        starter = Owner.from_record(self.record.get("by"))
        return starter is not None and starter.is_on_this_machine and not starter.exists

    def jobs(self, stage: str) -> list[str] | None:
        """Ids of the jobs of a stage; None before all of them were submitted."""
        path = self._stage_path(stage)
        return list(read_json(path)) if path.exists() else None

    def save_jobs(self, stage: str, jobs: Sequence[str]) -> None:
        """Record that all jobs of a stage were submitted."""
        with writing(self._folder, JobError):
            write_json(self._stage_path(stage), list(jobs))

    def job_names(self) -> set[str]:
        """Ids of the jobs of all stages."""
        stages = self._folder.glob(f"{self.id}.*.json")
        return {name for path in stages for name in read_json(path)}

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the group while a stage is submitted; gives False where another process does."""
        path = self._folder / f"{self.id}.lock"
        with writing(self._folder, JobError), open(path, "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _stage_path(self, stage: str) -> Path:
        return self._folder / f"{self.id}.{stage}.json"


def newest_group(store: RunStore) -> str | None:
    """The id of the group created last in this runs folder, or None."""
    folder = store.root / JOBS_NAME / GROUPS_NAME
    return max((p.stem for p in folder.glob("*.json") if "." not in p.stem), default=None)
