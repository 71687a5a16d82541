"""Who works on a folder, and whether that process is still there.

A folder has at most one owner: an advisory lock on ``.lock`` keeps a second process out, and the
kernel frees it however the owner ends. Readers never take the lock. They ask whether the recorded
process exists (on the same machine, by process id and the time it started in ticks since boot), or
whether its ``heartbeat`` counter still moves (on other machines). Neither depends on the clock
going forward.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from engine.foundation.errors import BasinError, RunError
from engine.runs.records import writing

HEARTBEAT_SECONDS = 2.0
"""How often an owner moves its counter."""

STALE_SECONDS = 60.0
"""An owner on another machine whose counter stands still for so long is taken for dead."""

DYING_SECONDS = 3.0
"""How long a new owner waits for the lock of one that is already gone."""

_RELEASED = b"released"
_COUNTER_WIDTH = 20


@cache
def _machine() -> str:
    """Names the kernel and the process-id namespace: equal where process ids are comparable."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _process_start(pid: int) -> str:
    """When a process started, as the kernel tells it; '' where there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        import psutil  # comes with distributed; only systems without /proc need it

        try:
            process = psutil.Process(pid)
            return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
        except psutil.Error:
            return ""
    try:
        state, *rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else rest[18]


@dataclass(frozen=True)
class Owner:
    """One process on one machine."""

    pid: int
    host: str
    machine: str
    started: str
    """When the process started, in ticks since boot: tells a reused process id apart."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process of this machine with that id."""
        return cls(pid, socket.gethostname(), _machine(), _process_start(pid))

    @classmethod
    def here(cls) -> Self:
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def from_record(cls, record: Any) -> Self | None:
        """Read back what ``as_record`` gave; None for anything else."""
        if not isinstance(record, dict):
            return None
        pid: Any = record.get("pid")
        texts: list[Any] = [record.get(name) for name in ("host", "machine", "started")]
        if type(pid) is not int or not all(isinstance(text, str) for text in texts):
            return None
        return cls(pid, *texts)

    def as_record(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether it is this very process."""
        return self == Owner.here()

    @property
    def is_on_this_machine(self) -> bool:
        return self.machine == _machine()

    @property
    def exists(self) -> bool:
        """Whether the process is there now; only meaningful on its own machine."""
        return self.started != "" and _process_start(self.pid) == self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


_seen: dict[Path, tuple[bytes, float]] = {}
"""Heartbeats as last read, and since when (monotonic clock) they show this counter."""


def is_alive(owner: Owner | None, folder: Path) -> bool:
    """Whether the recorded owner of a folder still works on it."""
    if owner is None:
        return False
    heartbeat = folder / "heartbeat"
    try:
        counter = heartbeat.read_bytes()
        age = max(0.0, time.time() - heartbeat.stat().st_mtime)
    except OSError:
        return owner.is_on_this_machine and owner.exists
    if counter.startswith(_RELEASED):
        return False
    if owner.is_on_this_machine:
        return owner.exists
    now = time.monotonic()
    known = _seen.get(heartbeat)
    if known is None:  # the only look that must trust the file's time, and only to call it old
        known = (counter, now - age)
    elif known[0] != counter:
        known = (counter, now)
    _seen[heartbeat] = known
    return now - known[1] < STALE_SECONDS


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Ownership:
    """Holds a folder while this process works on it: the lock, and a thread that moves the counter.

    ``acquire`` raises ``error`` if another process (or this one) already works on the folder, or if
    the folder cannot be written.
    """

    def __init__(self, folder: Path, what: str, error: type[BasinError] = RunError) -> None:
        self._folder = folder
        self._what = what
        self._error = error
        self._lock: int | None = None
        self._heartbeat: int | None = None
        self._beating = threading.Lock()
        self._stop = threading.Event()

    @property
    def held(self) -> bool:
        return self._lock is not None

    def acquire(self, recorded: Owner | None) -> None:
        """Take the folder; ``recorded`` is the owner that its record names, dead or alive."""
        path = self._folder / ".lock"
        with writing(path, self._error):
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(lock, recorded)
            with writing(self._folder / "heartbeat", self._error):
                self._heartbeat = os.open(
                    self._folder / "heartbeat",
                    os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC,
                    0o644,
                )
                self._beat(0)
        except BaseException:
            self._close_heartbeat()
            os.close(lock)
            raise
        self._lock = lock
        self._stop = threading.Event()
        threading.Thread(
            target=self._keep_beating, args=(self._stop,), name="basin-heartbeat", daemon=True
        ).start()

    def _take(self, lock: int, recorded: Owner | None) -> None:
        # A killed process with many threads is gone a moment before the kernel frees its locks.
        patience = time.monotonic() + DYING_SECONDS
        try:
            while not _try_lock(lock):
                if is_alive(recorded, self._folder) or time.monotonic() > patience:
                    raise self._already_owned(recorded)
                time.sleep(0.02)
        except OSError:  # a file system without locks: the record and the heartbeat decide
            if is_alive(recorded, self._folder):
                raise self._already_owned(recorded) from None
            return
        # Locks may not reach other machines on a shared disk; a moving heartbeat does.
        elsewhere = recorded is not None and not recorded.is_on_this_machine
        if elsewhere and is_alive(recorded, self._folder):
            raise self._already_owned(recorded)

    def _already_owned(self, recorded: Owner | None) -> BasinError:
        by = f" by {recorded}" if recorded is not None and is_alive(recorded, self._folder) else ""
        return self._error(
            f"{self._what} is already being worked on{by}; wait for it, or cancel it first."
        )

    def release(self) -> None:
        """Give the folder back. Overwrites in place, so that it also works on a full disk."""
        if self._lock is None:
            return
        self._stop.set()
        with suppress(OSError), self._beating:
            os.pwrite(self._heartbeat or -1, _RELEASED.ljust(_COUNTER_WIDTH), 0)
        self._close_heartbeat()
        os.close(self._lock)
        self._lock = None

    def _close_heartbeat(self) -> None:
        with self._beating:
            if self._heartbeat is not None:
                with suppress(OSError):
                    os.close(self._heartbeat)
            self._heartbeat = None

    def _beat(self, count: int) -> None:
        with self._beating:  # a file closed meanwhile may have given its number to another
            if self._heartbeat is not None:
                os.pwrite(self._heartbeat, str(count).rjust(_COUNTER_WIDTH).encode(), 0)

    def _keep_beating(self, stop: threading.Event) -> None:
        count = 0
        while not stop.wait(HEARTBEAT_SECONDS):
            count += 1
            with suppress(OSError):  # a full disk must not stop the work
                self._beat(count)
