"""UMAP's layout from exact neighbours and a PCA start, with progress and cancel.

umap is imported here, on first use: its import takes seconds.
"""

from __future__ import annotations

import io
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.embedding.embedding_config import EmbeddingConfig
from engine.embedding.neighbours import comparable
from engine.foundation.progress import Progress
from engine.foundation.seeding import seed_sequence

EXTENT = 10.0
"""Largest absolute coordinate of a start, as in umap."""


def umap_module(name: str) -> ModuleType:
    """A module of umap, without its warning that TensorFlow, of no use here, is absent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        return import_module(f"umap.{name}")


def random_state(config: EmbeddingConfig, *indices: int) -> np.random.RandomState:
    """umap draws from a RandomState; one for each purpose of a config's seed."""
    return np.random.RandomState(seed_sequence(config.seed, "umap", *indices).generate_state(4))


def pca_start(rows_nW: Tensor, metric: str) -> np.ndarray:
    """The first two principal components float32 [n, 2], within +-10; signs are fixed.

    Computed in float64 on the rows as ``comparable`` gives them. Rows that are all equal, or of
    width 1, leave components at 0.
    """
    rows = comparable(rows_nW, metric).double()
    rows = rows - rows.mean(dim=0)
    _, vectors = torch.linalg.eigh(rows.T @ rows)
    top = vectors[:, -2:].flip(1)
    largest = top.gather(0, top.abs().argmax(dim=0, keepdim=True))
    start = rows @ (top * torch.where(largest < 0, -1.0, 1.0))
    if start.shape[1] < 2:
        start = torch.cat([start, torch.zeros_like(start)], dim=1)
    scale = start.abs().max()
    return (start / torch.where(scale > 0, scale, 1.0) * EXTENT).float().cpu().numpy()


def layout(
    config: EmbeddingConfig, graph: Any, start: np.ndarray, progress: Progress
) -> np.ndarray:
    """Coordinates float32 [n, 2] after ``config.epochs`` passes; one thread, so seeds repeat."""
    umap = umap_module("umap_")
    a, b = umap.find_ab_params(1.0, config.min_dist)
    coordinates, _ = umap.simplicial_set_embedding(
        data=start,
        graph=graph,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=config.epochs,
        init=start,
        random_state=random_state(config, 1),
        metric=config.metric,
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
        tqdm_kwds=progress_bar_arguments(progress, config.epochs),
    )
    return np.ascontiguousarray(coordinates, dtype=np.float32)


def progress_bar_arguments(progress: Progress, epochs: int) -> dict[str, Any]:
    """Arguments that make umap's progress bar report here; a Cancelled raised stops the layout."""
    return {
        "disable": False,
        "file": _Reporting(progress, epochs),
        "bar_format": "{n_fmt}",
        "mininterval": 0.2,
        "leave": True,
    }


class _Reporting(io.StringIO):
    """Where tqdm writes its count."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        super().__init__()
        self.progress, self.epochs = progress, epochs

    def write(self, text: str) -> int:
        count = text.strip()
        if count.isdigit():
            self.progress(min(int(count) / self.epochs, 1.0), f"epoch {count} of {self.epochs}")
        return len(text)
