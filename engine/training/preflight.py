"""Whether a training could begin: asked before it is queued, so that the answer comes at once."""

from __future__ import annotations

from engine.data import Dataset
from engine.training.recorder import MemoryRecorder
from engine.training.train_config import TrainConfig
from engine.training.trainer import Trainer

MOST_NUMBERS = 20_000_000
"""Feature values of a dataset that are loaded only to see whether a config fits."""


def check_fits(config: TrainConfig, dataset: Dataset) -> None:
    """Raise what training would raise before its first step, e.g. for features that are not there.

    Datasets with more than MOST_NUMBERS feature values are not tried.
    """
    if sum(x.size for x in dataset.features.values()) <= MOST_NUMBERS:
        Trainer(dataset, config.changed({"device": "cpu"}), MemoryRecorder())
