"""What a run was made with, so that it can be made again."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine

if TYPE_CHECKING:
    from engine.data.dataset import Dataset

PACKAGES = ("torch", "numpy", "scipy", "pandas", "safetensors", "dask", "distributed", "umap-learn")
"""Packages whose version may change a number."""


def provenance_of(
    dataset: Dataset, *, seed: int, device: str, command: list[str] | None = None
) -> dict[str, Any]:
    """The dataset with its fingerprint, code and package versions, device, seed and command."""
    return {
        "dataset": {
            "name": dataset.name,
            "source": str(dataset.source),
            "fingerprint": dataset.fingerprint,
            "n_users": dataset.n_users,
            "n_items": dataset.n_items,
            "n_interactions": len(dataset),
            "split": next((note for note in dataset.notes if note.startswith("Split: ")), ""),
        },
        "code": {"version": engine.__version__, "commit": _commit()},
        "packages": dict(_package_versions()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "seed": seed,
        "command": list(sys.argv if command is None else command),
    }


@cache
def _package_versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@cache
def _commit() -> str:
    """The git commit of the code, with ``-dirty`` if files were changed; '' outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(engine.__file__).parent
    if not (folder.parent / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
