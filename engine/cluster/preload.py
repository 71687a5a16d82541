"""Loaded by every worker as it starts: brings in torch in the background, before it is needed."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any


def dask_setup(worker: Any) -> None:
    """Called by Dask once the worker is made."""
    threading.Thread(
        target=_import_torch, args=(worker,), name="basin-preload", daemon=True
    ).start()


def _import_torch(worker: Any) -> None:
    while worker.status.name == "init":  # connecting first lets a task without torch start sooner
        time.sleep(0.02)
    with suppress(ImportError):
        import torch  # noqa: F401 - imported for what it loads
