"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

# Small tensors on busy cores are several times slower with two threads than with one. Set before
# torch is imported, and inherited by every process the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads take no core from others

import pytest
from hypothesis import HealthCheck, settings

# On busy cores an example may take any time; what is tested is what comes out.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def ml100k_path() -> Path:
    """The folder of ml100k-posters, in BASIN_DATA or beside the project; else the test skips."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    roots = [Path(p) for p in os.environ.get("BASIN_DATA", "").split(os.pathsep) if p]
    for root in [*roots, beside]:
        for folder in (root, root / "ml100k-posters"):
            if folder.name == "ml100k-posters" and (folder / "ml100k.inter").is_file():
                return folder
    pytest.skip("ml100k-posters is neither in BASIN_DATA nor in ../shared/data")


@pytest.fixture(scope="session")
def tiny():
    """60 users, 40 items, 900 interactions, features 12 and 8 wide: trains in a blink."""
    from engine.data import synthetic

    return synthetic(60, 40, 900, image_width=12, text_width=8, seed=3)
