"""A run's whole state at the end of an epoch, as named tensors and plain values, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from torch import Tensor

from engine.foundation.errors import TrainingError
from engine.training.best_weights import BestWeights
from engine.training.recorder import Snapshot
from engine.training.trainer import Trainer
from engine.training.training_state import TrainingState

FORMAT = 2
"""Version of what a checkpoint holds."""


def snapshot_of(trainer: Trainer) -> Snapshot:
    """Weights, best weights, average, optimiser and stepper state, and counters."""
    best = asdict(trainer.best)
    tensors = {f"weights/{name}": t for name, t in trainer.model.theta().items()}
    tensors |= {f"best/{name}": t for name, t in best.pop("weights").items()}
    if trainer.average is not None:
        tensors |= {f"average/{name}": t for name, t in trainer.average.theta.items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in trainer.optimiser.optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser/{index}/{name}"] = value
            else:
                numbers.setdefault(str(index), {})[name] = value
    return Snapshot(
        tensors,
        {
            "format": FORMAT,
            "state": asdict(trainer.state),
            "best": best,
            "optimiser": numbers,
            "stepper": trainer.stepper.state_dict(),
            "averaged": trainer.average.count if trainer.average is not None else 0,
            "config": trainer.config.model_dump(mode="json"),
            "dataset": trainer.dataset.fingerprint,
        },
    )


def restore(trainer: Trainer, snapshot: Snapshot) -> None:
    """Put a snapshot's state into a new trainer of the same config and dataset.

    Raises TrainingError where config, dataset or the checkpoint's format differ.
    """
    values = snapshot.values
    _check(trainer, values)
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "average": {}}
    moments: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in values["optimiser"].items()}
    for key, tensor in snapshot.tensors.items():
        kind, name = key.split("/", 1)
        if kind == "optimiser":
            index, moment = name.split("/")
            moments.setdefault(int(index), {})[moment] = tensor.clone()
        else:
            groups[kind][name] = tensor.to(trainer.device).clone()
    trainer.model.load_theta(groups["weights"])
    optimiser = trainer.optimiser.optimiser
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    trainer.stepper.load_state_dict(values["stepper"])
    if trainer.average is not None:
        trainer.average.theta = groups["average"]
        trainer.average.count = int(values["averaged"])
    trainer.state = TrainingState(**values["state"])
    trainer.best = BestWeights(**values["best"], weights=groups["best"])


def _check(trainer: Trainer, values: dict[str, Any]) -> None:
    if values.get("format") != FORMAT:
        raise TrainingError(
            f"the checkpoint has format {values.get('format', 1)}, this version of Basin reads "
            f"{FORMAT}; start a new run, or resume with the version that began it."
        )
    if values["dataset"] != trainer.dataset.fingerprint:
        raise TrainingError(
            f"the checkpoint was made on a dataset with fingerprint {values['dataset']}, this "
            f"one has {trainer.dataset.fingerprint}; resume with the data it started from, or "
            "start a new run."
        )
    if values["config"] != trainer.config.model_dump(mode="json"):
        raise TrainingError(
            "the checkpoint was made with other settings; resume with those, or start a new run."
        )
