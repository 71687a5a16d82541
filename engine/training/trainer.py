"""One training run in progress: batches, steps, validation, and where it stands."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import load_features
from engine.data.negatives import NegativeSampler
from engine.evaluation import Evaluation, EvaluationConfig, evaluate
from engine.foundation.devices import multiplies_bfloat16_fast, ran_out_of_memory, resolve_device
from engine.foundation.errors import BasinError, Cancelled, TrainingError
from engine.foundation.progress import Progress
from engine.foundation.seeding import torch_generator
from engine.models import build_model
from engine.objectives import Objective, Triples
from engine.training.recorder import Recorder, Snapshot
from engine.training.stepping.optimisers import GuardedOptimiser, NonFiniteError
from engine.training.stepping.schedules import LearningRates
from engine.training.stepping.steppers import MirrorGradient, Stepper
from engine.training.train_config import TrainConfig
from engine.training.training_noise import TrainingNoise


@dataclass
class Position:
    """Where training stands at the end of an epoch."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -1.0
    since_best: int = 0
    gradient_passes: int = 0
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights that validation likes best so far."""

    def plain(self) -> dict[str, Any]:
        """All but the weights."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "best"}


class Trainer:
    """One run in progress; ``fit`` is its public face."""

    def __init__(self, dataset: Dataset, config: TrainConfig, recorder: Recorder) -> None:
        self.dataset = dataset
        self.config = config
        self.recorder = recorder
        self.device = resolve_device(config.device)
        self._check_fit()
        self.dtype = torch.float64 if config.precision == "float64" else torch.float32
        self.model = build_model(config.model, dataset, config.seed).to(self.device, self.dtype)
        self.features = load_features(
            dataset, self.model.modalities, config.features, self.device, self.feature_dtype
        )
        self.noise = TrainingNoise(
            config.noise, dataset, self.features, config.features.scaling, config.seed
        )
        self.seen_features = self.features
        self.sampler = NegativeSampler(dataset)
        self.train_users = torch.tensor(dataset.train.users)
        self.train_items = torch.tensor(dataset.train.items)
        self.objective = Objective(config.objective, self.model, self.features)
        self.warm_objective = Objective(
            config.objective.model_copy(update={"adversary": None}), self.model, self.features
        )
        self.optimiser = GuardedOptimiser(config.optimiser.build(self.model), config.clip_norm)
        self.rates = LearningRates(config.schedule, self.optimiser.optimiser)
        self.stepper = config.stepper.build(self.optimiser)
        self.average = config.averaging.build() if config.averaging else None
        self.position = Position(best=self.model.theta())
        self.pieces = 1
        if not self.can_afford(self.stepper, self.objective_of(1).passes, epoch_starts=True):
            raise TrainingError(
                f"match_gradient_passes is {config.match_gradient_passes}, less than one step "
                "takes; raise it."
            )
        cutoffs = {5, 10, 20, 50, config.validation_cutoff}
        self.evaluation = EvaluationConfig(cutoffs=tuple(sorted(cutoffs)))

    def _check_fit(self) -> None:
        config = self.config
        adversary = config.objective.adversary
        self.warm_epochs = adversary.warm_start_epochs if adversary else 0
        if self.warm_epochs >= config.epochs and config.match_gradient_passes is None:
            raise TrainingError(
                f"objective.adversary.warm_start_epochs is {self.warm_epochs}, but training ends "
                f"after {config.epochs} epochs; lower it or raise epochs."
            )
        if self.device.type == "mps" and config.precision == "float64":
            raise TrainingError(
                "precision is float64, which Apple GPUs do not compute; use device cpu or "
                "precision float32."
            )
        if len(self.dataset.valid) == 0:
            raise TrainingError(
                f"dataset '{self.dataset.name}' has no validation interactions, so no epoch can be "
                "chosen; read it with another split, e.g. per-user time."
            )

    @property
    def feature_dtype(self) -> torch.dtype:
        """The number format of features while training."""
        wanted = self.config.feature_precision
        fast = multiplies_bfloat16_fast(self.device) and self.dtype == torch.float32
        if wanted == "bfloat16" or (wanted == "auto" and fast):
            return torch.bfloat16
        return self.dtype

    def objective_of(self, epoch: int) -> Objective:
        """What an epoch, counted from 1, minimises: without the adversary while warming up."""
        return self.warm_objective if epoch <= self.warm_epochs else self.objective

    def epoch_triples(self, epoch: int) -> Triples:
        """All training pairs in the epoch's order, each with a fresh negative."""
        config = self.config
        shuffle = torch_generator(config.seed, "shuffle", epoch)
        order = torch.randperm(len(self.train_users), generator=shuffle)
        users, items = self.train_users[order], self.train_items[order]
        draws = torch_generator(config.seed, "negatives", epoch)
        if config.negative_pool is None:
            negatives = self.sampler.sample(users, draws)
        else:
            negatives = self.sampler.sample_pooled(
                users, config.batch_size, config.negative_pool, draws
            )
        return Triples(users.to(self.device), items.to(self.device), negatives.to(self.device))

    def run_epoch(self, epoch: int, progress: Progress) -> float:
        """One pass over the training pairs; returns the mean loss a step.

        Raises NonFiniteError before a non-finite loss or gradient moves any weight.
        """
        config = self.config
        objective = self.objective_of(epoch)
        draws = torch_generator(config.seed, "objective", epoch)
        triples = self.epoch_triples(epoch)
        self.seen_features = self.noise.features(epoch)
        starts = range(0, len(triples), config.batch_size)
        self.model.train()
        self.model.start_epoch(config.seed, epoch)
        self.stepper.start_epoch()
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        steps = 0
        for step, start in enumerate(starts):
            if not self.can_afford(self.stepper, objective.passes):
                break
            batch = triples.part(start, start + config.batch_size)
            self.set_rates(self.rates, epoch - 1 + step / len(starts))
            total += self.stepper.step(partial(self.backward, objective, batch, draws))
            steps += 1
            if self.average is not None:
                self.average.after_step(self.model)
            progress(step / len(starts), "")
        if self.average is not None:
            self.average.after_epoch(self.model, epoch)
        return float(total) / max(steps, 1)

    def can_afford(self, stepper: Stepper, passes: int, epoch_starts: bool = False) -> bool:
        """Whether the next step, at ``passes`` a gradient, stays within the passes asked for."""
        budget = self.config.match_gradient_passes
        if budget is None:
            return True
        needed = passes * stepper.gradients_ahead(epoch_starts)
        return self.position.gradient_passes + needed <= budget

    def set_rates(self, rates: LearningRates, at: float) -> None:
        """Set the learning rates for ``at`` epochs from the start.

        Where gradient passes end training, the decay ends with them: the length in epochs follows
        from the share of passes used so far.
        """
        budget, used = self.config.match_gradient_passes, self.position.gradient_passes
        length = self.config.epochs if budget is None or not used else at * budget / used
        rates.set(at, length)

    def backward(self, objective: Objective, batch: Triples, draws: torch.Generator) -> Tensor:
        """Put the gradient of one batch in place; returns its loss (a scalar).

        Where a GPU's memory does not suffice, the batch is taken in more and smaller pieces whose
        gradients add up; norms in penalties and perturbations are then those of a piece.
        """
        while True:
            try:
                loss = self._backward_in_pieces(objective, batch, draws)
                break
            except RuntimeError as error:
                if not ran_out_of_memory(error):
                    raise
                self.optimiser.optimiser.zero_grad(set_to_none=True)
                if self.pieces * 2 > len(batch):
                    raise TrainingError(
                        f"out of memory on {self.device} even with one triple at a time; choose a "
                        "smaller model, or device cpu."
                    ) from error
                self.pieces *= 2
                self.recorder.event("memory", {"pieces": self.pieces, "batch": len(batch)})
        self.position.gradient_passes += objective.passes
        return loss

    def _backward_in_pieces(
        self, objective: Objective, batch: Triples, draws: torch.Generator
    ) -> Tensor:
        self.optimiser.optimiser.zero_grad(set_to_none=True)
        size = -(-len(batch) // self.pieces)
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        for start in range(0, len(batch), size):
            piece = batch.part(start, start + size)
            loss = objective(self.model, piece, self.seen_features, draws)
            if self.pieces > 1 and self.config.objective.reduction == "mean":
                loss = loss * (len(piece) / len(batch))
            if not torch.isfinite(loss):
                raise NonFiniteError(f"the loss is {float(loss.detach())}")
            loss.backward()
            total += loss.detach()
        return total

    def evaluate(self, split: Literal["valid", "test"]) -> Evaluation:
        """Full ranking at the current weights."""
        self.model.eval()
        with torch.no_grad():
            users, items = self.model(self.features)
        return evaluate(users, items, self.dataset, split, self.evaluation)

    def validate(self, epoch: int) -> dict[str, float]:
        """Measure on validation and keep the weights, or their average, if the best so far."""
        averaged = self.average.theta if self.average is not None else {}
        current = self.model.theta() if averaged else {}
        if averaged:
            self.model.load_theta(averaged)
        values = self.evaluate("valid").means()
        self.choose(epoch, values)
        if averaged:
            self.model.load_theta(current)
        return values

    def choose(self, epoch: int, values: dict[str, float]) -> None:
        """Keep the current weights if their validation metrics are the best so far."""
        value, position = values[self.config.selection], self.position
        if epoch > self.warm_epochs:
            if value > position.best_value:
                position.best_epoch, position.best_value, position.since_best = epoch, value, 0
                position.best = self.model.theta()
            else:
                position.since_best += 1

    @property
    def is_done(self) -> bool:
        """Whether the epochs, the patience, the time or the gradient passes are used up."""
        config, position = self.config, self.position
        if config.match_gradient_passes is not None:
            return not self.can_afford(
                self.stepper, self.objective_of(position.epoch + 1).passes, epoch_starts=True
            )
        return (
            position.epoch >= config.epochs
            or position.since_best >= config.patience
            or (config.max_seconds is not None and position.seconds >= config.max_seconds)
        )

    def run(self, progress: Progress) -> Literal["finished", "diverged"]:
        """Train until done; the best weights end up in the model and in the recorder."""
        state: Literal["finished", "diverged"] = "finished"
        try:
            while not self.is_done:
                self._one_epoch(self.position.epoch + 1, progress)
                if self.is_checkpoint_due:
                    self.save_checkpoint()
        except NonFiniteError as error:
            state = "diverged"
            self.diverged(str(error))
        except Cancelled:
            self.cancelled()
            raise
        self.put_best_in_place()
        return state

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether the epoch that just ended is one to resume from."""
        return self.position.epoch % self.config.checkpoint_every == 0 and not self.is_done

    def save_checkpoint(self) -> None:
        """Hand the recorder what is needed to go on from here."""
        self.recorder.save_checkpoint(self.snapshot())
        self.recorder.save_weights(self.position.best)

    def diverged(self, reason: str) -> None:
        """Record that the epoch under way was not finite; without a best, these weights stay."""
        position = self.position
        self.recorder.event("diverged", {"epoch": position.epoch + 1, "reason": reason})
        if position.best_epoch == 0:
            position.best = self.model.theta()
            position.best_epoch = position.epoch

    def cancelled(self) -> None:
        """Record that training was stopped from outside, and keep what is best so far."""
        self.recorder.save_weights(self.position.best)
        self.recorder.event("cancelled", {"epoch": self.position.epoch})

    def put_best_in_place(self) -> None:
        """Put the chosen weights in model and recorder.

        Raises TrainingError where training ended within the warm start, BasinError where the
        weights are not finite.
        """
        position = self.position
        if position.best_epoch == 0 < position.epoch:
            raise TrainingError(
                f"training ended after epoch {position.epoch}, within the {self.warm_epochs} of "
                "the warm start, so no epoch could be chosen; raise max_seconds or "
                "match_gradient_passes, or lower objective.adversary.warm_start_epochs."
            )
        if not all(bool(torch.isfinite(t).all()) for t in position.best.values()):
            raise BasinError("no finite weights were ever reached; lower the learning rate.")
        self.model.load_theta(position.best)
        self.recorder.save_weights(position.best)

    def _one_epoch(self, epoch: int, progress: Progress) -> None:
        started = time.perf_counter()
        loss = self.run_epoch(epoch, self.within_epoch(epoch, progress))
        self.position.epoch = epoch
        values = self.validate(epoch) if self.is_validation_due else {}
        self.record_epoch(loss, values, time.perf_counter() - started)

    def within_epoch(self, epoch: int, progress: Progress) -> Progress:
        """The progress of one epoch's steps as a part of the whole run's."""
        config = self.config
        done, share = self._share_done(epoch - 1), self._share_done(epoch)
        message = f"epoch {epoch} of at most {config.epochs}"
        if config.match_gradient_passes is not None:
            message = f"epoch {epoch}, {config.match_gradient_passes} gradient passes in all"
        return lambda step, _: progress(done + (share - done) * step, message)

    @property
    def is_validation_due(self) -> bool:
        """Whether the epoch that just ended is one to validate."""
        epoch, config = self.position.epoch, self.config
        return epoch % config.validate_every == 0 or epoch == config.epochs or self.is_done

    def record_epoch(self, loss: float, values: dict[str, float], seconds: float) -> None:
        """One event about the epoch that just ended; ``values`` are validation's, {} for none."""
        position = self.position
        position.seconds += seconds
        event: dict[str, Any] = {
            "epoch": position.epoch,
            "loss": loss,
            "gradient_passes": position.gradient_passes,
            "phase": "warm start" if position.epoch <= self.warm_epochs else "main",
        }
        event |= {f"valid_{k}": v for k, v in values.items()}
        event |= {"seconds": position.seconds, "best_epoch": position.best_epoch}
        if isinstance(self.stepper, MirrorGradient):
            event |= self.stepper.ascent
        self.recorder.event("epoch", event)
        every = self.config.snapshots_every
        if every is not None and position.epoch % every == 0:
            self.recorder.save_snapshot(position.epoch, self.model.theta())

    def _share_done(self, epoch: int) -> float:
        budget = self.config.match_gradient_passes
        if budget is None:
            return epoch / self.config.epochs
        per_epoch = -(-len(self.train_users) // self.config.batch_size) * self.objective.passes
        return min(epoch * per_epoch / budget, 1.0)

    def snapshot(self) -> Snapshot:
        """Weights, optimiser state and position at the end of an epoch."""
        tensors = {f"weights/{n}": t for n, t in self.model.theta().items()}
        tensors |= {f"best/{n}": t for n, t in self.position.best.items()}
        if self.average is not None:
            tensors |= {f"average/{n}": t for n, t in self.average.theta.items()}
        state = self.optimiser.optimiser.state_dict()
        plain: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser/{index}/{name}"] = value
                else:
                    plain.setdefault(str(index), {})[name] = value
        values = {
            "position": self.position.plain(),
            "optimiser": plain,
            "stepper": self.stepper.state_dict(),
            "averaged": self.average.count if self.average is not None else 0,
            "pieces": self.pieces,
            "config": self.config.model_dump(mode="json"),
            "dataset": self.dataset.fingerprint,
        }
        return Snapshot(tensors, values)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of the same config and dataset; raises TrainingError otherwise."""
        values = snapshot.values
        if values["dataset"] != self.dataset.fingerprint:
            raise TrainingError(
                f"the checkpoint was made on a dataset with fingerprint {values['dataset']}, this "
                f"one has {self.dataset.fingerprint}; resume with the data it started from, or "
                "start a new run."
            )
        if values["config"] != self.config.model_dump(mode="json"):
            raise TrainingError(
                "the checkpoint was made with other settings; resume with those, or start a new "
                "run."
            )
        groups: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "average": {}}
        states: dict[int, dict[str, Any]] = {
            int(i): dict(v) for i, v in values["optimiser"].items()
        }
        for key, tensor in snapshot.tensors.items():
            kind, name = key.split("/", 1)
            if kind == "optimiser":
                index, field_name = name.split("/")
                states.setdefault(int(index), {})[field_name] = tensor.clone()
            else:
                groups[kind][name] = tensor.to(self.device).clone()
        self.model.load_theta(groups["weights"])
        state = self.optimiser.optimiser.state_dict()
        self.optimiser.optimiser.load_state_dict({**state, "state": states})
        self.stepper.load_state_dict(values["stepper"])
        if self.average is not None:
            self.average.theta = groups["average"]
            self.average.count = int(values["averaged"])
        self.pieces = int(values["pieces"])
        self.position = Position(**values["position"], best=groups["best"])
