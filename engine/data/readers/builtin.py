"""The built-in sample, found beside the package."""

from __future__ import annotations

from pathlib import Path

from engine.foundation.errors import DataError

SAMPLES = Path(__file__).resolve().parents[3] / "sample_data"
"""The project's folder of samples."""
DEFAULT_SAMPLE = "shop"


def sample_path(source: str) -> Path:
    """The folder of ``sample`` or ``sample:<name>``; raises DataError naming what there is."""
    name = source.partition(":")[2] or DEFAULT_SAMPLE
    path = SAMPLES / name
    if Path(name).name != name or not path.is_dir():
        there = sorted(p.name for p in SAMPLES.iterdir() if p.is_dir()) if SAMPLES.is_dir() else []
        raise DataError(
            f"'{source}' is not a built-in sample; {SAMPLES} has {', '.join(there) or 'none'}. "
            "Choose one of them, a folder, or 'synthetic'."
        )
    return path
