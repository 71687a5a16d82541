"""The parts of one training run, and what an epoch does with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from engine.data import Dataset
from engine.data.features import load_features
from engine.data.negatives import NegativeSampler
from engine.evaluation import Evaluation, EvaluationConfig, evaluate
from engine.foundation.devices import multiplies_bfloat16_fast, ran_out_of_memory, resolve_device
from engine.foundation.errors import TrainingError
from engine.foundation.progress import Progress
from engine.foundation.seeding import torch_generator
from engine.models import build_model
from engine.objectives import Objective, Triples
from engine.training.best_weights import BestWeights
from engine.training.budget import Budget
from engine.training.recorder import Recorder
from engine.training.stepping.optimisers import GuardedOptimiser, NonFiniteError
from engine.training.stepping.schedules import LearningRates
from engine.training.train_config import TrainConfig
from engine.training.trained import load_weights
from engine.training.training_noise import TrainingNoise
from engine.training.training_state import TrainingState


class Trainer:
    """Model, objective, optimiser and counters of one run; ``fit`` moves it epoch by epoch."""

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        recorder: Recorder,
        start_from: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Training begins at the weights ``start_from``, without a warm start, or at drawn ones.

        Raises ConfigError or TrainingError where config or weights do not fit dataset or device.
        """
        self.dataset = dataset
        self.config = config
        self.recorder = recorder
        self.device = resolve_device(config.device)
        self._check_config()
        self.dtype = torch.float64 if config.precision == "float64" else torch.float32
        self.model = build_model(config.model, dataset, config.seed)
        if start_from is not None:
            load_weights(self.model, start_from, dataset)
        self.model = self.model.to(self.device, self.dtype)
        self.features = load_features(
            dataset, self.model.modalities, config.features, self.device, self.feature_dtype
        )
        self.noise = TrainingNoise(
            config.noise, dataset, self.features, config.features.scaling, config.seed
        )
        self.epoch_features = self.features
        self.sampler = NegativeSampler(dataset, config.negatives_from)
        self.train_users = torch.tensor(dataset.train.users)
        self.train_items = torch.tensor(dataset.train.items)
        self.objective = Objective(config.objective, self.model, self.features)
        self.warm_objective = Objective(
            config.objective.model_copy(update={"adversary": None}), self.model, self.features
        )
        n_steps = -(-len(self.train_users) // config.batch_size)
        self.budget = Budget(config, start_from is None, n_steps * self.objective.passes)
        self.state = TrainingState(is_warm_start=self.budget.warm_epochs > 0)
        self._start_phase()
        self.budget.check(self.next_passes)
        cutoffs = {5, 10, 20, 50, config.validation_cutoff}
        self.evaluation = EvaluationConfig(cutoffs=tuple(sorted(cutoffs)))

    def _start_phase(self) -> None:
        """A fresh optimiser, stepper and average at the current weights; no best yet."""
        config = self.config
        self.optimiser = GuardedOptimiser(config.optimiser.build(self.model), config.clip_norm)
        self.rates = LearningRates(config.schedule, self.optimiser.optimiser)
        self.stepper = config.stepper.build(self.optimiser)
        self.average = config.averaging.build() if config.averaging else None
        self.best = BestWeights(weights=self.model.theta())

    def end_warm_start(self) -> None:
        """Continue with the adversary from the warm start's best weights (AMR's fine-tuning)."""
        state = self.state
        self.recorder.event("warm-start-end", {"epoch": state.epoch, "best_epoch": self.best.epoch})
        self.best.load_into(self.model)
        state.is_warm_start, state.phase_start = False, state.epoch
        state.passes_before_phase = state.gradient_passes
        self._start_phase()

    def _check_config(self) -> None:
        config = self.config
        if self.device.type == "mps" and config.precision == "float64":
            raise TrainingError(
                "precision is float64, which Apple GPUs do not compute; use device cpu or "
                "precision float32."
            )
        if len(self.dataset.valid) == 0 and not config.keep_last_epoch:
            raise TrainingError(
                f"dataset '{self.dataset.name}' has no validation interactions, so no epoch can be "
                "chosen; read it with another split, e.g. per-user time, or set keep_last_epoch "
                "to train for a fixed number of epochs."
            )

    @property
    def feature_dtype(self) -> torch.dtype:
        """The number format of features while training."""
        wanted = self.config.feature_precision
        fast = multiplies_bfloat16_fast(self.device) and self.dtype == torch.float32
        if wanted == "bfloat16" or (wanted == "auto" and fast):
            return torch.bfloat16
        return self.dtype

    @property
    def current_objective(self) -> Objective:
        """What the present phase minimises: without the adversary in the warm start."""
        return self.warm_objective if self.state.is_warm_start else self.objective

    @property
    def next_passes(self) -> int:
        """Gradient passes of the next epoch's first step."""
        return self.current_objective.passes * self.stepper.gradients_ahead(epoch_starts=True)

    @property
    def is_done(self) -> bool:
        """Whether the budget ends training at the current epoch."""
        return self.budget.is_spent(self.state, self.best, self.next_passes)

    def epoch_triples(self, epoch: int) -> Triples:
        """All training pairs in the order of a phase's epoch (from 1), with fresh negatives."""
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

    def train_epoch(self, progress: Progress) -> float:
        """The next pass over the training pairs; returns the mean loss a step.

        Everything drawn follows from seed and number within the phase, so that a warm start is
        the plain run of its seed, and what comes after equals starting from that run. Raises
        NonFiniteError before a non-finite loss or gradient moves any weight.
        """
        config, objective = self.config, self.current_objective
        epoch = self.state.epoch + 1 - self.state.phase_start
        draws = torch_generator(config.seed, "objective", epoch)
        triples = self.epoch_triples(epoch)
        self.epoch_features = self.noise.features(epoch)
        starts = range(0, len(triples), config.batch_size)
        self.model.train()
        self.model.start_epoch(config.seed, epoch)
        self.stepper.start_epoch()
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        n_steps = 0
        for step, start in enumerate(starts):
            n_passes = objective.passes * self.stepper.gradients_ahead()
            if not self.budget.allows_step(self.state, n_passes):
                break
            batch = triples.part(start, start + config.batch_size)
            position = epoch - 1 + step / len(starts)
            self.rates.set(position, self.budget.length(self.state, position))
            total += self.stepper.step(partial(self.backward, objective, batch, draws))
            n_steps += 1
            if self.average is not None:
                self.average.after_step(self.model)
            progress(step / len(starts), "")
        if self.average is not None:
            self.average.after_epoch(self.model, epoch)
        return float(total) / max(n_steps, 1)

    def backward(self, objective: Objective, batch: Triples, draws: torch.Generator) -> Tensor:
        """Put the gradient of one batch in place; returns its loss (a scalar).

        Where a device's memory does not suffice, the batch is split into twice as many
        micro-batches, whose gradients add up; norms in penalties and perturbations are then those
        of a micro-batch. Raises TrainingError where a single triple does not fit.
        """
        while True:
            try:
                loss = self._accumulate(objective, batch, draws)
                break
            except RuntimeError as error:
                if not ran_out_of_memory(error):
                    raise
                self.optimiser.optimiser.zero_grad(set_to_none=True)
                n_micro_batches = 2 * self.state.n_micro_batches
                if n_micro_batches > len(batch):
                    raise TrainingError(
                        f"out of memory on {self.device} even with one triple at a time; choose a "
                        "smaller model, or device cpu."
                    ) from error
                self.state.n_micro_batches = n_micro_batches
                self.recorder.event(
                    "memory", {"n_micro_batches": n_micro_batches, "batch": len(batch)}
                )
        self.state.gradient_passes += objective.passes
        return loss

    def _accumulate(self, objective: Objective, batch: Triples, draws: torch.Generator) -> Tensor:
        """Sum loss and gradients over the micro-batches of one batch."""
        self.optimiser.optimiser.zero_grad(set_to_none=True)
        size = -(-len(batch) // self.state.n_micro_batches)
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        for start in range(0, len(batch), size):
            micro_batch = batch.part(start, start + size)
            loss = objective(self.model, micro_batch, self.epoch_features, draws)
            if self.state.n_micro_batches > 1 and self.config.objective.reduction == "mean":
                loss = loss * (len(micro_batch) / len(batch))
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

    def validate(self) -> dict[str, float]:
        """Validation metrics of the weights, or of their average; the best weights are kept.

        With ``keep_last_epoch`` the last weights are; without validation there are no metrics.
        """
        averaged = self.average.theta if self.average is not None else {}
        current = self.model.theta() if averaged else {}
        if averaged:
            self.model.load_theta(averaged)
        values = self.evaluate("valid").means() if len(self.dataset.valid) else {}
        epoch = self.state.epoch
        value = epoch if self.config.keep_last_epoch else values[self.config.selection]
        self.best.consider(epoch, value, self.model)
        if averaged:
            self.model.load_theta(current)
        return values
