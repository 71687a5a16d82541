"""The training loop: epochs, validation, early stopping, checkpoints and exact resume."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.negatives import NegativeSampler
from engine.data.features import Features, load_features
from engine.evaluation import Evaluation, EvaluationConfig, evaluate
from engine.foundation.devices import resolve_device
from engine.foundation.errors import BasinError, Cancelled, TrainingError
from engine.foundation.progress import Progress, silent
from engine.foundation.seeding import torch_generator
from engine.models import Recommender, build_model
from engine.objectives import Objective, Triples
from engine.training.config import TrainConfig
from engine.training.optimisers import GuardedOptimiser, NonFiniteError
from engine.training.recorder import MemoryRecorder, Recorder, Snapshot


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
    gradient_passes: int
    seconds: float
    """Wall time of training, validation included, summed over resumed parts."""


@dataclass
class _Position:
    """Where training stands at the end of an epoch."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -1.0
    since_best: int = 0
    gradient_passes: int = 0
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """One run in progress; ``fit`` is its public face."""

    def __init__(self, dataset: Dataset, config: TrainConfig, recorder: Recorder) -> None:
        self.dataset = dataset
        self.config = config
        self.recorder = recorder
        self.device = resolve_device(config.device)
        dtype = torch.float64 if config.precision == "float64" else torch.float32
        self.model = build_model(config.model, dataset, config.seed).to(self.device, dtype)
        self.features = load_features(
            dataset, self.model.modalities, config.features, self.device, dtype
        )
        self.sampler = NegativeSampler(dataset)
        self.train_users = torch.tensor(dataset.train.users)
        self.train_items = torch.tensor(dataset.train.items)
        self.objective = Objective(config.objective, self.model, self.features)
        self.warm_objective = Objective(
            config.objective.model_copy(update={"adversary": None}), self.model, self.features
        )
        adversary = config.objective.adversary
        self.warm_epochs = adversary.warm_start_epochs if adversary else 0
        if self.warm_epochs >= config.epochs:
            raise TrainingError(
                f"objective.adversary.warm_start_epochs is {self.warm_epochs}, but training ends "
                f"after {config.epochs} epochs; lower it or raise epochs."
            )
        if len(dataset.valid) == 0:
            raise TrainingError(
                f"dataset '{dataset.name}' has no validation interactions, so no epoch can be "
                "chosen; read it with another split, e.g. per-user time."
            )
        self.optimiser = GuardedOptimiser(config.optimiser.build(self.model), config.clip_norm)
        self.stepper = config.stepper.build(self.optimiser)
        self.position = _Position(best=self.model.theta())
        cutoffs = {5, 10, 20, 50, config.validation_cutoff}
        self.evaluation = EvaluationConfig(cutoffs=tuple(sorted(cutoffs)))

    def epoch_triples(self, epoch: int) -> Triples:
        """All training pairs in the epoch's order, each with a fresh negative."""
        order = torch.randperm(
            len(self.train_users), generator=torch_generator(self.config.seed, "shuffle", epoch)
        )
        users, items = self.train_users[order], self.train_items[order]
        negatives = self.sampler.sample(
            users, torch_generator(self.config.seed, "negatives", epoch)
        )
        return Triples(users.to(self.device), items.to(self.device), negatives.to(self.device))

    def run_epoch(self, epoch: int, progress: Progress) -> float:
        """One pass over the training pairs; returns the mean loss a step.

        Raises NonFiniteError before a non-finite loss or gradient moves any weight.
        """
        is_warm = epoch <= self.warm_epochs
        objective = self.warm_objective if is_warm else self.objective
        draws = torch_generator(self.config.seed, "objective", epoch)
        triples = self.epoch_triples(epoch)
        starts = range(0, len(triples), self.config.batch_size)
        self.model.train()
        self.stepper.start_epoch()
        total = torch.zeros((), device=self.device)
        for step, start in enumerate(starts):
            batch = triples.part(start, start + self.config.batch_size)

            def closure(batch: Triples = batch) -> Tensor:
                self.optimiser.optimiser.zero_grad(set_to_none=True)
                loss = objective(self.model, batch, self.features, draws)
                if not torch.isfinite(loss):
                    raise NonFiniteError(f"the loss is {float(loss.detach())}")
                loss.backward()
                self.position.gradient_passes += 1
                return loss.detach()

            total += self.stepper.step(closure)
            progress(step / len(starts), "")
        return float(total) / len(starts)

    def evaluate(self, split: Literal["valid", "test"]) -> Evaluation:
        """Full ranking at the current weights."""
        self.model.eval()
        with torch.no_grad():
            users, items = self.model(self.features)
        return evaluate(users, items, self.dataset, split, self.evaluation)

    def validate(self, epoch: int) -> dict[str, float]:
        """Measure on validation and keep the weights if they are the best so far."""
        values = self.evaluate("valid").means()
        value = values[self.config.selection]
        position = self.position
        if epoch <= self.warm_epochs:
            return values
        if value > position.best_value:
            position.best_epoch, position.best_value, position.since_best = epoch, value, 0
            position.best = self.model.theta()
        else:
            position.since_best += 1
        return values

    @property
    def is_done(self) -> bool:
        """Whether the last epoch was reached or patience is used up."""
        position = self.position
        return (
            position.epoch >= self.config.epochs or position.since_best >= self.config.patience
        )

    def snapshot(self) -> Snapshot:
        """Weights, optimiser state and position at the end of an epoch."""
        tensors = {f"weights/{n}": t for n, t in self.model.theta().items()}
        tensors |= {f"best/{n}": t for n, t in self.position.best.items()}
        state = self.optimiser.optimiser.state_dict()
        plain: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser/{index}/{name}"] = value
                else:
                    plain.setdefault(str(index), {})[name] = value
        position = {
            name: getattr(self.position, name)
            for name in ("epoch", "best_epoch", "best_value", "since_best", "gradient_passes",
                         "seconds")
        }
        values = {
            "position": position,
            "optimiser": plain,
            "stepper": self.stepper.state_dict(),
            "config": self.config.model_dump(mode="json"),
            "dataset": self.dataset.fingerprint,
        }
        return Snapshot(tensors, values)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of the same config and dataset; raises TrainingError otherwise."""
        if snapshot.values["dataset"] != self.dataset.fingerprint:
            raise TrainingError(
                f"the checkpoint was made on a dataset with fingerprint "
                f"{snapshot.values['dataset']}, this one has {self.dataset.fingerprint}; resume "
                "with the data it started from, or start a new run."
            )
        if snapshot.values["config"] != self.config.model_dump(mode="json"):
            raise TrainingError(
                "the checkpoint was made with other settings; resume with those, or start a new "
                "run."
            )
        groups: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}}
        states: dict[int, dict[str, Any]] = {
            int(i): dict(v) for i, v in snapshot.values["optimiser"].items()
        }
        for key, tensor in snapshot.tensors.items():
            kind, name = key.split("/", 1)
            if kind == "optimiser":
                index, field_name = name.split("/")
                states.setdefault(int(index), {})[field_name] = tensor
            else:
                groups[kind][name] = tensor.to(self.device)
        self.model.load_theta(groups["weights"])
        state = self.optimiser.optimiser.state_dict()
        self.optimiser.optimiser.load_state_dict({**state, "state": states})
        self.stepper.load_state_dict(snapshot.values["stepper"])
        self.position = _Position(**snapshot.values["position"], best=groups["best"])

    def run(self, progress: Progress) -> Literal["finished", "diverged"]:
        """Train until done; the best weights end up in the model and in the recorder."""
        config, position = self.config, self.position
        state: Literal["finished", "diverged"] = "finished"
        try:
            while not self.is_done:
                epoch = position.epoch + 1
                started = time.perf_counter()
                done, share = position.epoch / config.epochs, 1 / config.epochs
                message = f"epoch {epoch} of at most {config.epochs}"

                def within(step: float, _: str, done=done, share=share, m=message) -> None:  # type: ignore[no-untyped-def]
                    progress(done + share * step, m)

                loss = self.run_epoch(epoch, within)
                event: dict[str, Any] = {
                    "epoch": epoch,
                    "loss": loss,
                    "gradient_passes": position.gradient_passes,
                    "phase": "warm start" if epoch <= self.warm_epochs else "main",
                }
                position.epoch = epoch
                if epoch % config.validate_every == 0 or epoch == config.epochs:
                    event |= {f"valid_{k}": v for k, v in self.validate(epoch).items()}
                position.seconds += time.perf_counter() - started
                event |= {"seconds": position.seconds, "best_epoch": position.best_epoch}
                self.recorder.event("epoch", event)
                if epoch % config.checkpoint_every == 0 and not self.is_done:
                    self.recorder.save_checkpoint(self.snapshot())
                    self.recorder.save_weights(position.best)
        except NonFiniteError as error:
            state = "diverged"
            self.recorder.event("diverged", {"epoch": position.epoch + 1, "reason": str(error)})
            if position.best_epoch == 0:
                position.best = self.model.theta()
                position.best_epoch = position.epoch
        except Cancelled:
            self.recorder.save_weights(position.best)
            self.recorder.event("cancelled", {"epoch": position.epoch})
            raise
        if not self._is_finite(position.best):
            raise BasinError("no finite weights were ever reached; lower the learning rate.")
        self.model.load_theta(position.best)
        self.recorder.save_weights(position.best)
        return state

    @staticmethod
    def _is_finite(theta: dict[str, Tensor]) -> bool:
        return all(bool(torch.isfinite(t).all()) for t in theta.values())


def fit(
    dataset: Dataset,
    config: TrainConfig,
    recorder: Recorder | None = None,
    progress: Progress = silent,
) -> Fit:
    """Train, and return the model at the epoch that validation chose.

    Goes on from the recorder's checkpoint where it has one, to the same numbers bit for bit as an
    uninterrupted run on the same machine. A non-finite loss ends it as 'diverged' with the best
    finite weights. Raises ConfigError or TrainingError where the config does not fit the dataset.
    """
    recorder = recorder or MemoryRecorder()
    trainer = Trainer(dataset, config, recorder)
    snapshot = recorder.load_checkpoint()
    if snapshot is not None:
        trainer.restore(snapshot)
    state = trainer.run(progress)
    trainer.model.requires_grad_(False)
    result = Fit(
        model=trainer.model.eval(),
        features=trainer.features,
        config=config,
        state=state,
        best_epoch=trainer.position.best_epoch,
        valid=trainer.evaluate("valid").means(),
        test=trainer.evaluate("test").means() if len(dataset.test) else {},
        gradient_passes=trainer.position.gradient_passes,
        seconds=trainer.position.seconds,
    )
    recorder.event(
        state,
        {
            "best_epoch": result.best_epoch,
            "valid": result.valid,
            "test": result.test,
            "selected_by": f"valid {config.selection}",
        },
    )
    return result
