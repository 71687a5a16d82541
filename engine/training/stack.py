"""Trainers of several seeds moved together: their weights are views of stacked tensors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from engine.foundation.progress import Progress
from engine.foundation.seeding import torch_generator
from engine.objectives import Triples
from engine.training.stacked import stacked_model
from engine.training.stacked_loss import StackedBatch, StackedObjective, virtual_ids
from engine.training.stacked_metrics import metrics_of_seeds
from engine.training.stacked_steps import StackedMirrorGradient, StackedOptimiser
from engine.training.stepping.optimisers import NonFiniteError
from engine.training.stepping.schedules import LearningRates
from engine.training.stepping.steppers import MirrorGradient
from engine.training.trainer import Trainer


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
        stacked = StackedObjective(first.objective_of(epoch))
        draws = torch_generator(config.seed, "objective", epoch)
        n_users, n_items = self.model.n_users, self.model.n_items
        triples = virtual_ids([t.epoch_triples(epoch) for t in self.trainers], n_users, n_items)
        like = next(iter(self.parameters.values()))
        starts = range(0, triples.users.shape[1], config.batch_size)
        total = torch.zeros(len(self.trainers), device=like.device, dtype=like.dtype)
        self.stepper.start_epoch()
        steps = 0
        for step, start in enumerate(starts):
            leading = self._lasting()[0]  # all that last have taken as many passes
            if not leading.can_afford(self.stepper, stacked.passes):
                break
            columns = slice(start, start + config.batch_size)
            part_SB = Triples(
                triples.users[:, columns],
                triples.positives[:, columns],
                triples.negatives[:, columns],
            )
            batch = StackedBatch.of(part_SB, n_users, n_items, first.features, like)
            leading.set_rates(self.rates, epoch - 1 + step / len(starts))
            try:
                total += self.stepper.step(self._closure(stacked, batch, draws))
            except NonFiniteError:  # every seed met one
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
            self.optimiser.optimiser.zero_grad(set_to_none=True)
            losses = objective(self.model, batch, draws)
            self.optimiser.check_losses(losses.detach())
            losses.sum().backward()
            for trainer in self._lasting():
                trainer.position.gradient_passes += objective.passes
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
