"""How to step: the contract of all steppers, and plain descent.

A closure clears the gradients, computes the loss of the current batch, calls backward and returns
the loss; calling it again recomputes on the same triples at the weights of that moment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from engine.foundation.config import Config
from engine.training.stepping.optimisers import GuardedOptimiser

Closure = Callable[[], Tensor]


class Stepper(ABC):
    """One choice of how to step, around a guarded optimiser."""

    def __init__(self, optimiser: GuardedOptimiser) -> None:
        self.optimiser = optimiser

    def start_epoch(self) -> None:
        """Called before the first batch of each epoch."""
        return

    @abstractmethod
    def step(self, closure: Closure) -> Tensor:
        """Move the weights on one batch; returns the loss at the weights before the step."""

    @abstractmethod
    def gradients_ahead(self, epoch_starts: bool = False) -> int:
        """Gradients that the next step takes, or with ``epoch_starts`` the next epoch's first."""

    def diagnostics(self) -> dict[str, float]:
        """What the steps of this epoch did, to record beside its loss; {} for nothing."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Plain values that a resumed run needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from ``state``."""
        del state


class PlainConfig(Config):
    """One descent step a batch."""

    name: Literal["plain"] = "plain"

    def build(self, optimiser: GuardedOptimiser) -> Stepper:
        return Plain(optimiser)


class Plain(Stepper):
    """``theta <- theta - step(grad L(theta))``."""

    def step(self, closure: Closure) -> Tensor:
        loss = closure()
        self.optimiser.apply()
        return loss

    def gradients_ahead(self, epoch_starts: bool = False) -> int:
        del epoch_starts
        return 1
