"""Fixtures of the tests that start clusters; the tools they are made of are in ``clusters.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.clusters import embedded, separate

sys.path.insert(0, str(Path(__file__).parent))  # jobs done in this process load sample_tasks too

TASKS = ("count", "fail", "walk", "deaf", "unserialisable", "environment")


@pytest.fixture(autouse=True, scope="session")
def sample_tasks() -> Iterator[None]:
    """Tasks of ``sample_tasks.py``, known here and to every process started from here."""
    patch = pytest.MonkeyPatch()
    here = str(Path(__file__).parent)
    patch.setenv("BASIN_EXTRA_TASKS", ",".join(f"{name}=sample_tasks:{name}" for name in TASKS))
    patch.setenv("PYTHONPATH", here)
    patch.setenv("BASIN_WORKERS", "2")
    for name in ("BASIN_SCHEDULER", "BASIN_ALLOW_INSECURE", "BASIN_RUNS"):
        patch.delenv(name, raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="module", params=["embedded", "separate"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store on each kind of cluster."""
    root = tmp_path_factory.mktemp(request.param)
    with (embedded if request.param == "embedded" else separate)(root) as made:
        yield made
