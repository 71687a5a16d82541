"""How many threads a training uses: one where a step is small, else as many as the process may.

Small steps are not worth sharing out: on a machine with other work, two threads wait for each other
at each of many thousand steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.training import TrainConfig

SMALL_STEP = 5e8
"""Floating point operations of a step, below which one thread is used (about 20 ms of a core)."""


def operations_per_step(dataset: Dataset, config: TrainConfig) -> float:
    """Operations of projecting the features of one batch's items, forwards and backwards.

    A batch holds at most two items a pair, and each distinct item is projected once.
    """
    items = min(2 * config.batch_size, dataset.n_items)
    columns = sum(values.shape[1] for values in dataset.features.values())
    width = getattr(config.model, "width", 64)
    return 6.0 * items * columns * width


@contextmanager
def threads_for(dataset: Dataset, config: TrainConfig) -> Iterator[None]:
    """Within, torch uses one thread for a training whose steps are small."""
    import torch

    before = torch.get_num_threads()
    if before > 1 and operations_per_step(dataset, config) < SMALL_STEP:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
