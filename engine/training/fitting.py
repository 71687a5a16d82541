"""``fit``: from a dataset and a config to the model that validation chose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from engine.data import Dataset
from engine.data.features import Features, load_features
from engine.evaluation import UserMetrics
from engine.foundation.devices import ran_out_of_memory
from engine.foundation.errors import TrainingError
from engine.foundation.progress import Progress, silent
from engine.models import Recommender
from engine.training.recorder import MemoryRecorder, Recorder
from engine.training.train_config import TrainConfig
from engine.training.trained import Trained
from engine.training.trainer import Trainer


@dataclass(frozen=True)
class Fit:
    """What training found: the model at the epoch validation chose, and how it got there."""

    model: Recommender
    features: Features
    config: TrainConfig
    state: Literal["finished", "diverged"]
    best_epoch: int
    """The epoch whose weights these are, from 1; 0 is the untrained model."""
    valid: dict[str, float]
    test: dict[str, float]
    """Metrics at the chosen epoch, means over users."""
    test_by_user: UserMetrics | None
    """The test metrics of each user; None where the dataset has no test interactions."""
    gradient_passes: int
    seconds: float
    """Wall time of training, validation included, summed over resumed parts."""

    def trained(self, dataset: Dataset, label: str = "") -> Trained:
        """The model as every analysis takes it, called ``label`` in figures and tables."""
        return Trained(self.model, dataset, self.features, self.config, label)


def fit(
    dataset: Dataset,
    config: TrainConfig,
    recorder: Recorder | None = None,
    progress: Progress = silent,
) -> Fit:
    """Train, and return the model at the epoch that validation chose.

    Goes on from the recorder's checkpoint where it has one, to the same numbers bit for bit as an
    uninterrupted run on the same machine. A non-finite loss ends it as 'diverged' with the best
    finite weights. Raises ConfigError or TrainingError where the config does not fit the dataset,
    TrainingError where the device's memory does not suffice even for small pieces of a batch.
    """
    recorder = recorder or MemoryRecorder()
    with determinism(config.deterministic), clear_about_memory(config.device):
        trainer = Trainer(dataset, config, recorder)
        snapshot = recorder.load_checkpoint()
        if snapshot is not None:
            trainer.restore(snapshot)
        state = trainer.run(progress)
        return finished(trainer, state)


def finished(trainer: Trainer, state: Literal["finished", "diverged"]) -> Fit:
    """Judge the chosen weights with features in the weights' own format, and say so."""
    config, dataset = trainer.config, trainer.dataset
    if trainer.feature_dtype != trainer.dtype:
        trainer.features = load_features(
            dataset, trainer.model.modalities, config.features, trainer.device, trainer.dtype
        )
    trainer.model.requires_grad_(False)
    test = trainer.evaluate("test") if len(dataset.test) else None
    result = Fit(
        model=trainer.model.eval(),
        features=trainer.features,
        config=config,
        state=state,
        best_epoch=trainer.position.best_epoch,
        valid=trainer.evaluate("valid").means(),
        test=test.means() if test else {},
        test_by_user=UserMetrics.of(test, "test") if test else None,
        gradient_passes=trainer.position.gradient_passes,
        seconds=trainer.position.seconds,
    )
    trainer.recorder.event(
        state,
        {
            "best_epoch": result.best_epoch,
            "valid": result.valid,
            "test": result.test,
            "selected_by": f"valid {config.selection}",
        },
    )
    return result


@contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Let torch refuse operations whose result may vary, where that is wanted."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:  # without it cuBLAS has no reproducible products, and torch refuses them
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted or before)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def clear_about_memory(device: str, advice: str = "") -> Iterator[None]:
    """Say what to do where a device has no memory left: raises TrainingError instead."""
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        advice = advice or "choose a smaller model.width, feature_precision bfloat16, or device cpu"
        raise TrainingError(f"out of memory on device {device}; {advice}.") from error
