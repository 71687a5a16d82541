"""Tasks that only tests use; named to the workers through BASIN_EXTRA_TASKS."""

from __future__ import annotations

import os
import time
from typing import Any

from engine.foundation.errors import DataError
from engine.foundation.progress import Progress
from engine.runs import RunStore


def count(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Take ``steps`` steps of ``seconds`` each."""
    del store
    steps = params.get("steps", 3)
    for step in range(steps):
        progress(step / steps, f"step {step}")
        time.sleep(params.get("seconds", 0.0))
    progress(1.0, "done")
    return {"steps": steps, "pid": os.getpid()}


def fail(store: RunStore, params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Fail as ``how`` says."""
    del store, progress
    if params.get("how") == "user":
        raise DataError("the file is empty; give another")
    raise ZeroDivisionError("division by\nzero")
