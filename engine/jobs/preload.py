"""Loaded by every worker as it starts: brings in torch in the background, before it is needed."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - the signature that Dask calls
    """Called by Dask once the worker is made."""
    threading.Thread(target=_import_torch, name="basin-preload", daemon=True).start()


def _import_torch() -> None:
    with suppress(ImportError):
        import torch  # noqa: F401
