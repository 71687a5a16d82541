"""``fit``: from a dataset and a config to the model that validation chose."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from engine.data import Dataset
from engine.data.features import Features, load_features
from engine.evaluation import UserMetrics
from engine.foundation.devices import resolve_device
from engine.foundation.errors import Cancelled, TrainingError
from engine.foundation.progress import Progress, silent
from engine.models import Recommender
from engine.training.checkpoint import restore, snapshot_of
from engine.training.recorder import MemoryRecorder, Recorder
from engine.training.stepping.optimisers import NonFiniteError
from engine.training.torch_runtime import deterministic_algorithms, explain_out_of_memory
from engine.training.train_config import TrainConfig
from engine.training.trained import Trained
from engine.training.trainer import Trainer

Outcome = Literal["finished", "diverged"]


@dataclass(frozen=True)
class Fit:
    """The model at the epoch validation chose, and how it got there."""

    model: Recommender
    features: Features
    config: TrainConfig
    state: Outcome
    best_epoch: int
    """The epoch whose weights these are, from 1; 0 is the untrained model."""
    valid: dict[str, float]
    test: dict[str, float]
    """Metrics at the chosen epoch, means over users; empty where the split has no interactions."""
    test_by_user: UserMetrics | None
    """The test metrics of each user; None where the dataset has no test interactions."""
    gradient_passes: int
    seconds: float
    """Wall time of training, validation included, summed over resumed parts."""

    @property
    def selected_by(self) -> str:
        """What chose the epoch: a metric on validation, or the fixed number of epochs."""
        if self.config.keep_last_epoch:
            return "the fixed number of epochs"
        return f"valid {self.config.selection}"

    def trained(self, dataset: Dataset, label: str = "") -> Trained:
        """The model as every analysis takes it, called ``label`` in figures and tables."""
        return Trained(self.model, dataset, self.features, self.config, label)


def fit(
    dataset: Dataset,
    config: TrainConfig,
    recorder: Recorder | None = None,
    progress: Progress = silent,
    start_from: Mapping[str, Tensor] | None = None,
) -> Fit:
    """Train, and return the model at the epoch that validation chose.

    Training begins at the weights ``start_from`` (by parameter name, e.g. another run's) with a
    fresh optimiser and without a warm start; where None, at weights drawn from the seed. Resumes
    from the recorder's checkpoint where it has one, to the same numbers bit for bit as an
    uninterrupted run on the same machine. A non-finite loss ends it as 'diverged' with the best
    finite weights. Raises ConfigError or TrainingError where the config does not fit the dataset,
    TrainingError where the device's memory does not suffice even for small parts of a batch.
    """
    recorder = recorder or MemoryRecorder()
    is_deterministic = config.deterministic or resolve_device(config.device).type == "cpu"
    with deterministic_algorithms(is_deterministic), explain_out_of_memory(config.device):
        if config.start_from is not None and start_from is None:
            raise TrainingError(
                f"start_from names run {config.start_from}, but its weights were not handed over; "
                "pass them as fit(..., start_from=run.weights())."
            )
        trainer = Trainer(dataset, config, recorder, start_from)
        snapshot = recorder.load_checkpoint()
        if snapshot is not None:
            restore(trainer, snapshot)
        outcome = train_until_done(trainer, progress)
        return evaluate_best(trainer, outcome)


def train_until_done(trainer: Trainer, progress: Progress) -> Outcome:
    """Train to the end of the budget; the best weights end up in model and recorder.

    Raises Cancelled where ``progress`` does, and TrainingError where training ended within the warm
    start, so that there is no epoch to choose.
    """
    state, recorder = trainer.state, trainer.recorder
    outcome: Outcome = "finished"
    try:
        while not trainer.is_done:
            _one_epoch(trainer, progress)
            if state.is_warm_start and trainer.budget.is_phase_over(state, trainer.best):
                trainer.end_warm_start()
            if state.epoch % trainer.config.checkpoint_every == 0 and not trainer.is_done:
                recorder.save_checkpoint(snapshot_of(trainer))
                recorder.save_weights(trainer.best.weights)
    except NonFiniteError as error:
        outcome = "diverged"
        recorder.event("diverged", {"epoch": state.epoch + 1, "reason": str(error)})
        if trainer.best.epoch == 0:  # nothing was chosen yet, and these weights are finite
            trainer.best.epoch, trainer.best.weights = state.epoch, trainer.model.theta()
    except Cancelled:
        recorder.save_weights(trainer.best.weights)
        recorder.event("cancelled", {"epoch": state.epoch})
        raise
    if outcome == "finished" and (state.is_warm_start or trainer.best.epoch == 0 < state.epoch):
        raise TrainingError(
            f"training ended after epoch {state.epoch}, within the warm start, so no epoch could "
            "be chosen; raise max_seconds or match_gradient_passes, or lower "
            "objective.adversary.warm_start_epochs."
        )
    trainer.best.load_into(trainer.model)
    recorder.save_weights(trainer.best.weights)
    return outcome


def _one_epoch(trainer: Trainer, progress: Progress) -> None:
    """Steps, validation if due, and the event of one epoch."""
    state, config = trainer.state, trainer.config
    started = time.perf_counter()
    loss = trainer.train_epoch(trainer.budget.progress_within(state, progress))
    state.epoch += 1
    epoch, n_epochs = state.epoch, state.epoch - state.phase_start
    is_last = n_epochs == trainer.budget.epochs(state) or trainer.is_done
    is_validated = n_epochs % config.validate_every == 0 or is_last
    metrics = trainer.validate() if is_validated else {}
    state.seconds += time.perf_counter() - started
    event: dict[str, Any] = {
        "epoch": epoch,
        "loss": loss,
        "gradient_passes": state.gradient_passes,
        "phase": "warm start" if state.is_warm_start else "main",
    }
    event |= {f"valid_{name}": value for name, value in metrics.items()}
    event |= {"seconds": state.seconds, "best_epoch": trainer.best.epoch}
    trainer.recorder.event("epoch", event | trainer.stepper.diagnostics())
    if config.snapshots_every is not None and epoch % config.snapshots_every == 0:
        trainer.recorder.save_snapshot(epoch, trainer.model.theta())


def evaluate_best(trainer: Trainer, outcome: Outcome) -> Fit:
    """Validation and test metrics of the chosen weights, on features in the weights' own format."""
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
        state=outcome,
        best_epoch=trainer.best.epoch,
        valid=trainer.evaluate("valid").means() if len(dataset.valid) else {},
        test=test.means() if test else {},
        test_by_user=UserMetrics.of(test, "test") if test else None,
        gradient_passes=trainer.state.gradient_passes,
        seconds=trainer.state.seconds,
    )
    trainer.recorder.event(
        outcome,
        {
            "best_epoch": result.best_epoch,
            "valid": result.valid,
            "test": result.test,
            "selected_by": result.selected_by,
        },
    )
    return result
