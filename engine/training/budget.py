"""How long a run trains: epochs, patience and seconds, or a number of gradient passes."""

from __future__ import annotations

from engine.foundation.errors import TrainingError
from engine.foundation.progress import Progress
from engine.training.best_weights import BestWeights
from engine.training.stepping.steppers import Stepper
from engine.training.train_config import TrainConfig
from engine.training.training_state import TrainingState


class Budget:
    """The limits of one run; ``match_gradient_passes`` replaces all others where it is set."""

    def __init__(self, config: TrainConfig, stepper: Stepper, steps_per_epoch: int) -> None:
        self.config = config
        self.stepper = stepper
        self.steps_per_epoch = steps_per_epoch

    def check(self, passes: int) -> None:
        """Raise TrainingError where not even the first step, at ``passes`` a gradient, fits."""
        if not self.allows_step(TrainingState(), passes, epoch_starts=True):
            raise TrainingError(
                f"match_gradient_passes is {self.config.match_gradient_passes}, less than one step "
                "takes; raise it."
            )

    def allows_step(self, state: TrainingState, passes: int, epoch_starts: bool = False) -> bool:
        """Whether the next step, at ``passes`` a gradient, stays within the gradient passes."""
        limit = self.config.match_gradient_passes
        if limit is None:
            return True
        needed = passes * self.stepper.gradients_ahead(epoch_starts)
        return state.gradient_passes + needed <= limit

    def is_spent(self, state: TrainingState, best: BestWeights, next_passes: int) -> bool:
        """Whether training ends here; ``next_passes`` a gradient costs in the next epoch."""
        config = self.config
        if config.match_gradient_passes is not None:
            return not self.allows_step(state, next_passes, epoch_starts=True)
        return (
            state.epoch >= config.epochs
            or best.n_without_improvement >= config.patience
            or (config.max_seconds is not None and state.seconds >= config.max_seconds)
        )

    def length(self, state: TrainingState, position: float) -> float:
        """Epochs over which learning rates decay, at ``position`` epochs from the start.

        Where gradient passes end training, the decay ends with them: the length in epochs follows
        from the share of passes used so far.
        """
        limit, used = self.config.match_gradient_passes, state.gradient_passes
        return self.config.epochs if limit is None or not used else position * limit / used

    def progress_within(self, epoch: int, passes: int, progress: Progress) -> Progress:
        """The progress of one epoch's steps as a part of the whole run's."""
        limit = self.config.match_gradient_passes
        if limit is None:
            start, end = (epoch - 1) / self.config.epochs, epoch / self.config.epochs
            message = f"epoch {epoch} of at most {self.config.epochs}"
        else:
            share = self.steps_per_epoch * passes / limit
            start, end = min((epoch - 1) * share, 1.0), min(epoch * share, 1.0)
            message = f"epoch {epoch}, {limit} gradient passes in all"
        return lambda step, _: progress(start + (end - start) * step, message)
