"""A runs folder with a run in it, and a second process that works on runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs import Run, RunStore

CONFIG = {"model": {"name": "vbpr", "width": 64}, "seed": 3}
PROVENANCE = {
    "dataset": {"name": "made-up shop", "fingerprint": "00ff"},
    "seed": 3,
    "device": "cpu",
}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(CONFIG, PROVENANCE, name="first try")
