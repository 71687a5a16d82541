"""``fit_seeds``: several seeds of one config in one pass, as ``fit`` would train each alone.

Each seed keeps its own Trainer: position, early stopping, recorder and checkpoints are its own.
While they train together their weights are views of stacked tensors (``stacked.py``), which one
optimiser and one stepper move; a seed that is done, or fails, leaves the stack. Sums may be taken
in another order than apart, so results agree to rounding, not bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor

from engine.data import Dataset
from engine.foundation.errors import BasinError, Cancelled, ConfigError, TrainingError
from engine.foundation.progress import Progress, part, silent
from engine.foundation.seeding import torch_generator
from engine.objectives import AMRConfig, PGDConfig, Triples
from engine.training.config import TrainConfig
from engine.training.loop import Fit, determinism, finished, fit
from engine.training.optimisers import NonFiniteError
from engine.training.recorder import MemoryRecorder, Recorder
from engine.training.schedules import LearningRates
from engine.training.stacked import (
    StackedBatch,
    StackedObjective,
    can_stack,
    stacked_model,
    virtual_ids,
)
from engine.training.stacked_metrics import metrics_of_seeds
from engine.training.stacked_steps import StackedMirrorGradient, StackedOptimiser
from engine.training.steppers import MirrorGradient
from engine.training.trainer import BudgetSpent, Trainer


def why_apart(dataset: Dataset, config: TrainConfig) -> str | None:
    """Why ``fit_seeds`` trains seeds one after the other; None where it trains them at once."""
    adversary = config.objective.adversary
    if not can_stack(config.model):
        return f"model {config.model.name} has no stacked form"
    if isinstance(adversary, AMRConfig) and adversary.direction == "random":
        return "random perturbations are drawn at the features' width, for each seed's own rows"
    if isinstance(adversary, PGDConfig) and adversary.norm == "linf":
        return "PGD in L-infinity works at the features' width"
    if config.max_seconds is not None:
        return "max_seconds limits each seed's own time"
    if dataset.n_items > 2 * config.batch_size:
        return (
            f"the catalogue's {dataset.n_items:,} items are more than a batch can touch "
            f"({2 * config.batch_size:,}), and a stack works on whole catalogues"
        )
    return None


def fit_seeds(
    dataset: Dataset,
    config: TrainConfig,
    seeds: Sequence[int],
    recorders: Sequence[Recorder] | None = None,
    progress: Progress = silent,
) -> list[Fit]:
    """Train every seed of a config; results in the order of ``seeds``.

    Each Fit, its events, weights and checkpoints are what ``fit`` gives for
    ``config.changed({"seed": s})``, up to the rounding of sums; ``seconds`` are shared evenly among
    the seeds that trained at the time. Each recorder's checkpoint can be resumed from here or by
    ``fit`` alone; only seeds that stand at the same epoch train together. Where ``why_apart`` names
    a reason, seeds train one after the other. Raises ConfigError where ``recorders`` are not one a
    seed, and whatever ``fit`` raises; an error of one seed is raised once the others are done.
    """
    kept: Sequence[Recorder] = [MemoryRecorder() for _ in seeds] if recorders is None else recorders
    fits = []
    for outcome in fits_and_errors(dataset, config, seeds, kept, progress):
        if isinstance(outcome, BasinError):
            raise outcome
        fits.append(outcome)
    return fits


def fits_and_errors(
    dataset: Dataset,
    config: TrainConfig,
    seeds: Sequence[int],
    recorders: Sequence[Recorder],
    progress: Progress = silent,
) -> list[Fit | BasinError]:
    """As ``fit_seeds``, with a seed's error in its place; Cancelled is raised, as it stops all."""
    if len(recorders) != len(seeds):
        raise ConfigError(
            f"{len(recorders)} recorders were given for {len(seeds)} seeds; give one for each."
        )
    configs = [config.changed({"seed": seed}) for seed in seeds]
    if len(seeds) < 2 or why_apart(dataset, config) is not None:
        return _one_after_the_other(dataset, configs, recorders, progress)
    with determinism(config.deterministic):
        trainers: list[Trainer] = []
        for one, recorder in zip(configs, recorders, strict=True):
            trainer = Trainer(dataset, one, recorder)
            trainers.append(trainer)
            trainer.features, trainer.sampler = trainers[0].features, trainers[0].sampler
            snapshot = recorder.load_checkpoint()
            if snapshot is not None:
                trainer.restore(snapshot)
        try:
            return Together(trainers).run(progress)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of memory on {trainers[0].device} with {len(seeds)} seeds at once; train "
                "fewer of them together, or one after the other."
            ) from error


def _one_after_the_other(
    dataset: Dataset,
    configs: Sequence[TrainConfig],
    recorders: Sequence[Recorder],
    progress: Progress,
) -> list[Fit | BasinError]:
    outcomes: list[Fit | BasinError] = []
    for i, (config, recorder) in enumerate(zip(configs, recorders, strict=True)):
        inner = part(progress, i / len(configs), (i + 1) / len(configs))
        try:
            outcomes.append(fit(dataset, config, recorder, inner))
        except Cancelled:
            raise
        except BasinError as error:
            outcomes.append(error)
    return outcomes


class Together:
    """Trainers of one config on one dataset, and what became of each."""

    def __init__(self, trainers: list[Trainer]) -> None:
        self.trainers = trainers
        self.outcomes: dict[Trainer, Fit | BasinError] = {}

    def run(self, progress: Progress) -> list[Fit | BasinError]:
        """Train until all are done; seeds that stand at different epochs in groups."""
        groups: dict[tuple[int, int, int], list[Trainer]] = {}
        for trainer in self.trainers:
            if trainer.is_done:
                self._end(trainer, "finished")
            else:
                position = trainer.position
                key = (position.epoch, position.gradient_passes, trainer.pieces)
                groups.setdefault(key, []).append(trainer)
        for i, ((_, _, pieces), group) in enumerate(groups.items()):
            inner = part(progress, i / len(groups), (i + 1) / len(groups))
            if pieces == 1:
                self._run_group(group, inner)
                continue
            for trainer in group:  # it ran short of memory even alone
                self._end(trainer, trainer.run(inner))
        return [self.outcomes[trainer] for trainer in self.trainers]

    def _run_group(self, running: list[Trainer], progress: Progress) -> None:
        while running:
            stack = Stack(running)
            try:
                while not (stack.failed or any(t.is_done for t in running)):
                    stack.one_epoch(progress)
            except Cancelled:
                for trainer in running:
                    trainer.cancelled()
                raise
            finally:
                stack.hand_back()
            for trainer in running:
                if trainer in stack.failed:
                    trainer.diverged(stack.failed[trainer])
                    self._end(trainer, "diverged")
                elif trainer.is_done:
                    self._end(trainer, "finished")
            running = [t for t in running if t not in stack.failed and not t.is_done]

    def _end(self, trainer: Trainer, state: Literal["finished", "diverged"]) -> None:
        try:
            trainer.put_best_in_place()
            self.outcomes[trainer] = finished(trainer, state)
        except BasinError as error:
            self.outcomes[trainer] = error


class Stack:
    """Trainers that stand at the same epoch, moved together; their weights are views of its own."""

    def __init__(self, trainers: list[Trainer]) -> None:
        first = trainers[0]
        self.trainers = trainers
        self.config = first.config
        self.failed: dict[Trainer, str] = {}
        """Why a trainer met a value that is not finite."""
        self.model = stacked_model([t.model for t in trainers], first.dataset)
        self.parameters = dict(self.model.named_parameters())
        self._point_weights_here()
        self.optimiser = StackedOptimiser(
            self.config.optimiser.build(self.model), self.config.clip_norm, len(trainers)
        )
        self._take_moments()
        self.rates = LearningRates(self.config.schedule, self.optimiser.optimiser)
        self.stepper = self.config.stepper.build(self.optimiser)
        if isinstance(self.stepper, MirrorGradient):
            s = self.stepper
            self.stepper = StackedMirrorGradient(
                s.optimiser, s.alpha1, s.alpha2, s.beta, s.counter, s.clip
            )
        self.stepper.load_state_dict(first.stepper.state_dict())

    def one_epoch(self, progress: Progress) -> None:
        """Steps, validation, events and checkpoints of one epoch of every seed that lasts it."""
        started = time.perf_counter()
        first = self.trainers[0]
        epoch = first.position.epoch + 1
        losses = self._steps(epoch, first.within_epoch(epoch, progress))
        for place, reason in self.optimiser.reasons.items():
            self.failed[self.trainers[place]] = reason
        lasting = [t for t in self.trainers if t not in self.failed]
        for trainer in lasting:
            trainer.position.epoch = epoch
        values: list[dict[str, float]] = [{} for _ in self.trainers]
        if lasting and lasting[0].is_validation_due:
            values = self._validate(epoch)
        seconds = (time.perf_counter() - started) / len(self.trainers)
        for trainer, loss, value in zip(self.trainers, losses, values, strict=True):
            if trainer in self.failed:
                trainer.position.seconds += seconds
                continue
            trainer.record_epoch(loss, value, seconds)
            if trainer.is_checkpoint_due:
                self._hand_back_moments(trainer)
                trainer.save_checkpoint()

    def _steps(self, epoch: int, progress: Progress) -> list[float]:
        """One pass over every seed's triples; the mean loss a step of each."""
        first, config = self.trainers[0], self.config
        objective = first.warm_objective if epoch <= first.warm_epochs else first.objective
        stacked = StackedObjective(objective)
        draws = torch_generator(config.seed, "objective", epoch)
        n_users, n_items = self.model.n_users, self.model.n_items
        triples = virtual_ids([t.epoch_triples(epoch) for t in self.trainers], n_users, n_items)
        like = next(iter(self.parameters.values()))
        starts = range(0, triples.users.shape[1], config.batch_size)
        total = torch.zeros(len(self.trainers), device=like.device, dtype=like.dtype)
        self.stepper.start_epoch()
        steps = 0
        for step, start in enumerate(starts):
            columns = slice(start, start + config.batch_size)
            part_SB = Triples(
                triples.users[:, columns],
                triples.positives[:, columns],
                triples.negatives[:, columns],
            )
            batch = StackedBatch.of(part_SB, n_users, n_items, first.features, like)
            self.rates.set(epoch - 1 + step / len(starts), config.epochs)
            try:
                total += self.stepper.step(self._closure(stacked, batch, draws))
            except (BudgetSpent, NonFiniteError):
                break
            steps += 1
            self._average(lambda trainer: trainer.average.after_step(trainer.model))
            progress(step / len(starts), "")
        self._average(lambda trainer: trainer.average.after_epoch(trainer.model, epoch))
        for place, trainer in enumerate(self.trainers):
            trainer.stepper.load_state_dict(self.stepper.state_dict())
            if isinstance(self.stepper, StackedMirrorGradient):
                ascents = self.stepper.ascents
                cast(MirrorGradient, trainer.stepper).ascent = ascents[place] if ascents else {}
        return (total / max(steps, 1)).tolist()

    def _closure(
        self, objective: StackedObjective, batch: StackedBatch, draws: torch.Generator
    ) -> Callable[[], Tensor]:
        def closure() -> Tensor:
            budget, spent = self.config.match_gradient_passes, objective.passes
            if budget is not None and any(
                t.position.gradient_passes + spent > budget for t in self._lasting()
            ):
                raise BudgetSpent
            self.optimiser.optimiser.zero_grad(set_to_none=True)
            losses = objective(self.model, batch, draws)
            self.optimiser.check_losses(losses.detach())
            losses.sum().backward()
            for trainer in self._lasting():
                trainer.position.gradient_passes += spent
            return losses.detach()

        return closure

    def _lasting(self) -> list[Trainer]:
        failed = self.optimiser.reasons
        return [t for place, t in enumerate(self.trainers) if place not in failed]

    def _average(self, update: Callable[[Any], None]) -> None:
        if self.config.averaging is not None:
            for trainer in self._lasting():
                update(trainer)

    def _validate(self, epoch: int) -> list[dict[str, float]]:
        """Validation metrics of each seed, which choose its best weights; {} for failed ones."""
        if self.config.averaging is not None:
            return [t.validate(epoch) if t not in self.failed else {} for t in self.trainers]
        first = self.trainers[0]
        with torch.no_grad():
            users, items = self.model(first.features)
        values = metrics_of_seeds(users, items, first.dataset, first.evaluation.cutoffs)
        for trainer, value in zip(self.trainers, values, strict=True):
            if trainer not in self.failed:
                trainer.choose(epoch, value)
        return values

    def hand_back(self) -> None:
        """Give every trainer its weights and optimiser state as tensors of its own."""
        for place, trainer in enumerate(self.trainers):
            own = dict(trainer.model.named_parameters())
            last = self.optimiser.last_weights.get(place)
            if last is not None:
                for kept, parameter in zip(last, self.optimiser.parameters, strict=True):
                    parameter.data[place] = kept
            for parameter in own.values():
                parameter.data = parameter.data.clone()
            self._hand_back_moments(trainer)

    def _point_weights_here(self) -> None:
        for place, trainer in enumerate(self.trainers):
            for name, parameter in trainer.model.named_parameters():
                parameter.data = self.parameters[name].data[place]

    def _take_moments(self) -> None:
        """Stack the trainers' optimiser states; scalars such as step counts are equal in all."""
        for name, parameter in self.parameters.items():
            states = [
                t.optimiser.optimiser.state.get(dict(t.model.named_parameters())[name], {})
                for t in self.trainers
            ]
            stacked = self.optimiser.optimiser.state
            for key, value in states[0].items():
                if isinstance(value, Tensor):
                    many = value.dim() > 0
                    value = torch.stack([s[key] for s in states]) if many else value.clone()
                stacked[parameter][key] = value

    def _hand_back_moments(self, trainer: Trainer) -> None:
        place = self.trainers.index(trainer)
        states = trainer.optimiser.optimiser.state
        for name, own in trainer.model.named_parameters():
            for key, value in self.optimiser.optimiser.state[self.parameters[name]].items():
                if isinstance(value, Tensor):
                    value = (value[place] if value.dim() > 0 else value).clone()
                states[own][key] = value
