"""Loaded by every worker as it starts: imports torch in the background, before it is needed.

A process in which that fails is of no use any more, since a second import finds half a package: it
ends and is started again, then without importing ahead of the first job.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from engine.jobs.perform import imports_failed
from engine.runs.ownership import Owner


def dask_setup(worker: Any) -> None:
    """Called by Dask once the worker is made."""
    if not _marker().exists():
        threading.Thread(
            target=_import_torch, args=(worker,), name="basin-preload", daemon=True
        ).start()


def _marker() -> Path:
    """A file that is there once importing ahead failed for a worker of this parent process."""
    parent = Owner.of(os.getppid())
    name = f"basin-{os.getuid()}-no-preload-{parent.pid}-{parent.started}"
    return Path(tempfile.gettempdir()) / name


def _import_torch(worker: Any) -> None:
    while worker.status.name == "init":  # connecting first lets a task without torch start sooner
        time.sleep(0.02)
    try:
        import torch  # noqa: F401 - imported for what it loads
    except BaseException:
        traceback.print_exc()
        _marker().touch()
        imports_failed.set()  # from here on a job that arrives ends this process and moves on
        if not worker.state.executing:
            os._exit(1)
