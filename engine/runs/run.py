"""A run is a folder: what was asked, on what, what happened, and what came out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pandas as pd

from engine.foundation.errors import BasinError, Cancelled, ResultError, RunError
from engine.foundation.files import locked, whole_file
from engine.foundation.result import Result
from engine.runs.checkpoints import (
    WEIGHTS_NAME,
    Checkpoints,
    load_tensors,
    save_tensors,
    weights_fingerprint,
)
from engine.runs.events import EventLog
from engine.runs.ownership import Owner, Ownership
from engine.runs.records import read_record, read_record_or, write_record, writing
from engine.runs.status import RunState, RunStatus, now

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training.recorder import Snapshot

R = TypeVar("R", bound=Result)

RESULT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=,-]{0,199}\.npz")
"""What a result's file may be called, here and in a zip."""

NO_LABELS: dict[str, Any] = {"name": "", "note": "", "tags": [], "star": False}


class Run:
    """One run folder, read anew at every access; several processes may look while one writes.

    It is also a ``Recorder``, so training writes straight into it, inside ``running()``.
    Raises RunError if the folder holds no run.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not (self.path / "config.json").is_file():
            raise RunError(f"{self.path} is not a run: it holds no config.json.")
        self._events = EventLog(self.path / "events.jsonl")
        self._checkpoints = Checkpoints(self.path / "checkpoint")
        self._ownership = Ownership(self.path, f"Run {self.id}")

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # What was asked, and on what

    @property
    def config(self) -> dict[str, Any]:
        """The config as it was given, as plain values."""
        return dict(read_record(self.path / "config.json").get("config", {}))

    @property
    def provenance(self) -> dict[str, Any]:
        """Dataset and its fingerprint, code and package versions, device, seed, command."""
        return read_record_or(self.path / "provenance.json", {})

    @property
    def labels(self) -> dict[str, Any]:
        """What a person said about it: ``name``, ``note``, ``tags`` and ``star``."""
        return NO_LABELS | read_record_or(self.path / "labels.json", {})

    @property
    def name(self) -> str:
        """The name a person gave, else the id."""
        return str(self.labels["name"] or self.id)

    def label(
        self,
        *,
        name: str | None = None,
        note: str | None = None,
        tags: list[str] | None = None,
        star: bool | None = None,
    ) -> None:
        """Change what is not None; the rest stays, whoever else labels the run meanwhile."""
        changes: dict[str, Any] = {"name": name, "note": note, "star": star}
        changes = {key: value for key, value in changes.items() if value is not None}
        if tags is not None:
            changes["tags"] = sorted({tag.strip() for tag in tags if tag.strip()})
        with writing(self.path / "labels.json"), locked(self.path / "config.json"):
            write_record(self.path / "labels.json", self.labels | changes)

    # How it goes

    @property
    def status(self) -> RunStatus:
        """The state as it is now: a run whose process is gone reads ``interrupted``."""
        return RunStatus.read(self.path)

    @property
    def state(self) -> RunState:
        return self.status.state

    @contextmanager
    def running(self, unless_done: bool = False) -> Iterator[Self]:
        """Work on the run: nobody else can meanwhile, and every way out leaves an honest state.

        Leaving normally ends it as ``finished`` (unless ``end`` said otherwise), Cancelled as
        ``cancelled``, any other exception as ``failed`` with its message. Raises RunError if it is
        already being worked on or its folder cannot be written, and with ``unless_done`` if it has
        finished or diverged.
        """
        self._ownership.acquire(self.status.owner)
        try:
            if unless_done and (state := self.state) in ("finished", "diverged"):
                raise RunError(
                    f"Run {self.id} has {state}; it is not trained again, since its results belong "
                    "to these weights. Train a new run."
                )
            self._write_status("running", started=now(), ended="", owner=Owner.here().as_record())
            try:
                yield self
            except Cancelled as stop:
                self._end_quietly("cancelled", str(stop))
                raise
            except BasinError as error:
                self._end_quietly("failed", str(error))
                raise
            except (KeyboardInterrupt, SystemExit):
                self._end_quietly("interrupted", "Its process was asked to stop.")
                raise
            except BaseException as error:
                self._end_quietly("failed", f"{type(error).__name__}: {error}")
                raise
            if self.status.state == "running":
                self.end("finished")
        finally:
            self._ownership.release()

    def queue(self, job: str = "") -> None:
        """Say that it waits for a job again, unless somebody works on it or it is done.

        Raises RunError where that cannot be written.
        """
        if self.state in ("failed", "cancelled", "interrupted"):
            self._write_status("queued", started="", ended="", waits_for=job)

    def end(self, state: RunState, reason: str = "") -> None:
        """Say how it ended; raises RunError where that cannot be written."""
        self._write_status(state, reason=reason, ended=now())

    def end_after(self, owner: Owner, state: RunState, reason: str) -> None:
        """Say how it ended for a process that is gone, if that was the last to work on it.

        Does nothing otherwise; raises RunError if somebody works on it, or it cannot be written.
        """
        self._ownership.acquire(owner)
        try:
            status = self.status
            if status.state == "interrupted" and status.owner == owner:
                self.end(state, reason)
        finally:
            self._ownership.release()

    def _end_quietly(self, state: RunState, reason: str) -> None:
        # On a full disk this fails too; the released heartbeat then makes it read "interrupted".
        with suppress(RunError):
            self.end(state, reason)

    def _write_status(self, state: RunState, *, reason: str = "", **changes: Any) -> None:
        record = read_record_or(self.path / "status.json", {})
        record |= {"state": state, "reason": reason, **changes}
        write_record(self.path / "status.json", record)

    # What happened: the Recorder

    def event(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append one event with the time it happened; NaN and infinity are kept as null."""
        self._events.append({"kind": kind, "time": now(), **values})

    def events(self, kind: str | None = None) -> pd.DataFrame:
        """Events as a table, one a row; of one kind if named. Empty where there are none."""
        frame = self._events.frame()
        if kind is None or frame.empty:
            return frame
        return frame[frame["kind"] == kind].dropna(axis=1, how="all").reset_index(drop=True)

    def save_checkpoint(self, snapshot: Snapshot) -> None:
        """Keep a state to resume from; the one before stays until this one is whole."""
        self._checkpoints.save(snapshot, self._events.size)

    def load_checkpoint(self) -> Snapshot | None:
        """The newest whole state; inside ``running`` the events that came after it are set aside.

        Raises RunError where checkpoints exist but none can be used.
        """
        newest = self._checkpoints.load()
        if self._ownership.held:
            self._events.resume_from(newest[1] if newest else 0)
        return newest[0] if newest else None

    @property
    def has_checkpoint(self) -> bool:
        return bool(self._checkpoints.numbers())

    # What came out

    @property
    def summary(self) -> dict[str, Any]:
        """Best epoch, validation and test metrics, seconds, gradient passes; {} before the end."""
        return read_record_or(self.path / "summary.json", {})

    def save_summary(self, values: Mapping[str, Any]) -> None:
        """Replace the summary, whole or not at all."""
        write_record(self.path / "summary.json", values)

    def save_weights(self, weights: dict[str, Tensor]) -> None:
        """Keep the weights that validation chose, whole or not at all."""
        path = self.path / WEIGHTS_NAME
        with writing(path), whole_file(path) as temporary:
            save_tensors(temporary, weights)

    def weights(self) -> dict[str, Tensor]:
        """The kept weights, on the CPU; raises RunError where they are missing or damaged."""
        path = self.path / WEIGHTS_NAME
        if not path.exists():
            raise RunError(f"Run {self.id} has no weights yet (state: {self.state}).")
        return load_tensors(path)

    @property
    def weights_fingerprint(self) -> str:
        """Tells the kept weights apart from any others; '' where there are none."""
        return weights_fingerprint(self.path)

    def save_snapshot(self, epoch: int, weights: dict[str, Tensor]) -> None:
        """Keep the weights at the end of an epoch in ``trajectory/``, whole or not at all."""
        path = self.path / "trajectory" / f"{epoch:06d}.safetensors"
        with writing(path), whole_file(path) as temporary:
            save_tensors(temporary, weights)

    @property
    def snapshot_epochs(self) -> list[int]:
        """The epochs at whose end weights were kept along training, ascending."""
        return sorted(
            int(path.stem) for path in (self.path / "trajectory").glob("[0-9]*.safetensors")
        )

    def trajectory(self) -> list[dict[str, Tensor]]:
        """The weights kept along training, in order of epochs; [] where none were."""
        paths = sorted((self.path / "trajectory").glob("[0-9]*.safetensors"))
        return [load_tensors(path) for path in paths]

    @property
    def has_weights(self) -> bool:
        return (self.path / WEIGHTS_NAME).exists()

    def save_result(self, result: Result, key: str = "default") -> Path:
        """Keep an analysis's result under its kind and a key; the same key replaces it."""
        path = self._result_path(result.kind, key)
        with writing(path):
            result.save(path)
        return path

    def results(self, kind: str) -> list[str]:
        """Keys of the kept results of one kind, newest last."""
        paths = (self.path / "results").glob(f"{kind}-*.npz")
        by_age = sorted((path.stat().st_mtime_ns, path) for path in paths)
        return [path.stem.removeprefix(f"{kind}-") for _, path in by_age]

    def has_result(self, kind: str, key: str = "default") -> bool:
        return self._result_path(kind, key).exists()

    def load_result(self, result_type: type[R], key: str = "default") -> R:
        """A kept result.

        Raises ResultError where it is missing, damaged, of a newer version, or was made from other
        weights than a run now has.
        """
        path = self._result_path(result_type.kind, key)
        result = result_type.load(path)
        made_from = result.provenance.get("weights")
        for run_id, fingerprint in made_from.items() if isinstance(made_from, dict) else ():
            now_there = weights_fingerprint(self.path.parent / str(run_id))
            if now_there and now_there != fingerprint:
                raise ResultError(
                    f"{path} was made from other weights than run {run_id} has now, as it was "
                    "trained again; compute it again."
                )
        return result

    def _result_path(self, kind: str, key: str) -> Path:
        name = f"{kind}-{key}.npz"
        if not kind or not key or not RESULT_NAME.fullmatch(name):
            raise RunError(
                f"A result cannot be named {kind!r} and {key!r}; letters, digits and _.+@=,- are "
                "allowed, 200 in all."
            )
        return self.path / "results" / name
