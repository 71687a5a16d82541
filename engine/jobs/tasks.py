"""What can be run in the background, by name.

A task is a function ``(store, params, progress) -> dict``. The tasks of Basin are above this room,
in the table that ``TASK_TABLE`` names; it is imported where a task is looked up.
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

TASK_TABLE = "engine.studies.task_table:TASKS"
"""Where the tasks are, by name, as ``module:dictionary``."""

EXTRA_TASKS = "BASIN_EXTRA_TASKS"
"""Environment variable with further tasks, ``name=module:function`` separated by commas."""


def task_names() -> list[str]:
    """The names of all tasks, those of ``BASIN_EXTRA_TASKS`` included."""
    return sorted({*_import_name(TASK_TABLE), *_extra_tasks()})


def check_task_name(name: str) -> str:
    """The name, if there is such a task; raises JobError otherwise."""
    if name not in task_names():
        raise JobError(f"'{name}' is not a task; tasks are {', '.join(task_names())}.")
    return name


def load_task(name: str) -> Task:
    """A task's function; raises JobError where the name or its module is unknown."""
    place = _extra_tasks().get(check_task_name(name), TASK_TABLE)
    try:
        task: Task = _import_name(TASK_TABLE)[name] if place == TASK_TABLE else _import_name(place)
    except (ImportError, AttributeError) as error:
        raise JobError(f"Task '{name}' cannot be loaded from {place}: {error}") from error
    return task


def _extra_tasks() -> dict[str, str]:
    entries = [entry for entry in os.environ.get(EXTRA_TASKS, "").split(",") if entry]
    return dict(entry.split("=", 1) for entry in entries)


def _import_name(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
