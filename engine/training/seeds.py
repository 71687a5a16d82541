"""``fit_seeds``: several seeds of one config in one pass, as ``fit`` would train each alone.

Each seed keeps its own Trainer: position, early stopping, recorder and checkpoints are its own.
While they train together their weights are views of stacked tensors (``stacked.py``), which one
optimiser and one stepper move; a seed that is done, or fails, leaves the stack. Sums may be taken
in another order than apart, so results agree to rounding, not bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from engine.data import Dataset
from engine.foundation.errors import BasinError, Cancelled, ConfigError
from engine.foundation.progress import Progress, part, silent
from engine.objectives import AMRConfig, PGDConfig
from engine.training.fitting import Fit, clear_about_memory, determinism, finished, fit
from engine.training.recorder import MemoryRecorder, Recorder
from engine.training.stack import Stack
from engine.training.stacked import can_stack
from engine.training.train_config import TrainConfig
from engine.training.trainer import Trainer


def why_apart(dataset: Dataset, config: TrainConfig) -> str | None:
    """Why ``fit_seeds`` trains seeds one after the other; None where it trains them at once."""
    adversary = config.objective.adversary
    if not can_stack(config.model):
        return f"model {config.model.name} has no stacked form"
    if isinstance(adversary, AMRConfig) and adversary.direction == "random":
        return "random perturbations are drawn at the features' width, for each seed's own rows"
    if isinstance(adversary, PGDConfig) and adversary.norm == "linf":
        return "PGD in L-infinity works at the features' width"
    if config.noise.kind is not None:
        return "noise on features is drawn for each seed anew"
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
    fewer = f"{len(seeds)} seeds are too many at once; train fewer together, or one by one"
    with determinism(config.deterministic), clear_about_memory(config.device, fewer):
        trainers: list[Trainer] = []
        for one, recorder in zip(configs, recorders, strict=True):
            trainer = Trainer(dataset, one, recorder)
            trainers.append(trainer)
            trainer.features, trainer.sampler = trainers[0].features, trainers[0].sampler
            snapshot = recorder.load_checkpoint()
            if snapshot is not None:
                trainer.restore(snapshot)
        return Together(trainers).run(progress)


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
