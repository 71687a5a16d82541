"""The table of tasks: what can be run in the background, by name.

A task is a function ``(store: RunStore, params: dict, progress: Progress) -> dict``. It is named
as ``module:function`` and imported only where it runs. Adding one is a line here.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from engine.foundation.errors import JobError
from engine.foundation.progress import Progress
from engine.runs import RunStore

Task = Callable[[RunStore, dict[str, Any], Progress], dict[str, Any]]

TASKS: dict[str, str] = {
    "train": "engine.studies.trainings:train",
    "slice": "engine.studies.analysis_table:slice_task",
    "path": "engine.studies.analysis_table:path_task",
    "symmetry": "engine.studies.analysis_table:symmetry_task",
    "curvature": "engine.studies.analysis_table:curvature_task",
    "robustness": "engine.studies.analysis_table:robustness_task",
    "embed": "engine.studies.analysis_table:embed_task",
    "align": "engine.studies.analysis_table:align_task",
}
"""Name of each task, and where its function is."""

EXTRA_TASKS = "BASIN_EXTRA_TASKS"
"""Environment variable with further tasks, ``name=module:function`` separated by commas."""


def known_tasks() -> dict[str, str]:
    """The table, with the tasks of ``BASIN_EXTRA_TASKS``."""
    extra = [entry for entry in os.environ.get(EXTRA_TASKS, "").split(",") if entry]
    return TASKS | dict(entry.split("=", 1) for entry in extra)


def checked_name(name: str) -> str:
    """The name, if it is in the table; raises JobError otherwise."""
    if name not in known_tasks():
        raise JobError(f"'{name}' is not a task; tasks are {', '.join(sorted(known_tasks()))}.")
    return name


def load_task(name: str) -> Task:
    """Import a task's function; raises JobError where the name or the module is unknown."""
    module, _, function = known_tasks()[checked_name(name)].partition(":")
    try:
        task: Task = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise JobError(
            f"Task '{name}' cannot be loaded from {module}:{function}: {error}"
        ) from error
    return task
