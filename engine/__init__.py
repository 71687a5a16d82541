"""Basin's engine: everything that computes. Imports neither streamlit nor plotly.

What a notebook needs is here: ``from engine import read_dataset, fit, preset``. A name is imported
when it is first used, so that ``import engine`` waits for nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Before torch is loaded: OpenMP's threads sleep while they wait, instead of keeping a core busy
# that other work on the machine needs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from engine.data import read_dataset
    from engine.embedding import EmbeddingConfig, embed
    from engine.evaluation import compare, evaluate
    from engine.geometry import SliceConfig, loss_slice
    from engine.geometry.curvature import CurvatureConfig, curvature
    from engine.robustness import CurveConfig, robustness_curves
    from engine.runs import RunStore
    from engine.training import MemoryRecorder, TrainConfig, fit, preset

__all__ = [
    "CurvatureConfig",
    "CurveConfig",
    "EmbeddingConfig",
    "MemoryRecorder",
    "RunStore",
    "SliceConfig",
    "TrainConfig",
    "compare",
    "curvature",
    "embed",
    "evaluate",
    "fit",
    "loss_slice",
    "preset",
    "read_dataset",
    "robustness_curves",
]

_ROOMS = {
    "engine.data": ("read_dataset",),
    "engine.embedding": ("EmbeddingConfig", "embed"),
    "engine.evaluation": ("compare", "evaluate"),
    "engine.geometry": ("SliceConfig", "loss_slice"),
    "engine.geometry.curvature": ("CurvatureConfig", "curvature"),
    "engine.robustness": ("CurveConfig", "robustness_curves"),
    "engine.runs": ("RunStore",),
    "engine.training": ("MemoryRecorder", "TrainConfig", "fit", "preset"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"engine has no {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
