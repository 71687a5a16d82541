"""How long a run trains: epochs, patience and seconds, or a number of gradient passes."""

from __future__ import annotations

from engine.foundation.errors import TrainingError
from engine.foundation.progress import Progress
from engine.training.best_weights import BestWeights
from engine.training.train_config import TrainConfig
from engine.training.training_state import TrainingState


class Budget:
    """The limits of one run, and of its warm start where it has one."""

    def __init__(self, config: TrainConfig, has_warm_start: bool, passes_per_epoch: int) -> None:
        """``passes_per_epoch``: roughly the gradient passes of an epoch, for progress bars."""
        adversary = config.objective.adversary
        self.config = config
        self.warm_epochs = adversary.warm_start_epochs if adversary and has_warm_start else 0
        self.passes_per_epoch = passes_per_epoch

    def check(self, n_passes: int) -> None:
        """Raise TrainingError where the first step, of ``n_passes`` passes, is too long."""
        if not self.allows_step(TrainingState(), n_passes):
            raise TrainingError(
                f"match_gradient_passes is {self.config.match_gradient_passes}, less than one step "
                "takes; raise it."
            )

    def allows_step(self, state: TrainingState, n_passes: int) -> bool:
        """Whether a step of so many gradient passes stays within the run's."""
        limit = self.config.match_gradient_passes
        return limit is None or state.gradient_passes + n_passes <= limit

    def epochs(self, state: TrainingState) -> int:
        """Most epochs of the present phase."""
        return self.warm_epochs if state.is_warm_start else self.config.epochs

    def is_phase_over(self, state: TrainingState, best: BestWeights) -> bool:
        """Whether the present phase has used up its epochs or its patience."""
        n_epochs = state.epoch - state.phase_start
        patience = self.config.patience
        return n_epochs >= self.epochs(state) or best.n_without_improvement >= patience

    def is_spent(self, state: TrainingState, best: BestWeights, n_passes: int) -> bool:
        """Whether training ends here, the next step taking ``n_passes`` gradient passes.

        Gradient passes, where they are limited, decide alone; a warm start ends training only when
        passes or seconds run out.
        """
        config = self.config
        if config.match_gradient_passes is not None:
            return not self.allows_step(state, n_passes)
        if config.max_seconds is not None and state.seconds >= config.max_seconds:
            return True
        return not state.is_warm_start and self.is_phase_over(state, best)

    def length(self, state: TrainingState, position: float) -> float:
        """Epochs over which learning rates decay, at ``position`` epochs from the phase's start.

        Where gradient passes end training, the decay ends with them: the length in epochs follows
        from the share of passes used so far.
        """
        limit = self.config.match_gradient_passes
        n_used = state.gradient_passes - state.passes_before_phase
        if limit is None or state.is_warm_start or not n_used:
            return self.epochs(state)
        return position * (limit - state.passes_before_phase) / n_used

    def progress_within(self, state: TrainingState, progress: Progress) -> Progress:
        """The progress of the next epoch's steps as a part of the whole run's."""
        epoch, limit = state.epoch + 1, self.config.match_gradient_passes
        if limit is None:
            skipped = 0 if state.is_warm_start else self.warm_epochs - state.phase_start
            n_epochs = self.warm_epochs + self.config.epochs
            start, end = (state.epoch + skipped) / n_epochs, (epoch + skipped) / n_epochs
            message = f"epoch {epoch} of at most {state.phase_start + self.epochs(state)}"
        else:
            start = min(state.gradient_passes / limit, 1.0)
            end = min(start + self.passes_per_epoch / limit, 1.0)
            message = f"epoch {epoch}, {limit} gradient passes in all"
        if state.is_warm_start:
            message += ", warm start"
        return lambda step, _: progress(start + (end - start) * step, message)
