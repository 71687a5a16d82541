"""How the step size changes over training."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field

from engine.foundation.config import Config


class ScheduleConfig(Config):
    """A factor on every learning rate: a linear warm-up, then a decay over the epochs."""

    decay: Literal["none", "linear", "cosine"] = "none"
    """Shape of the decay from 1 to ``final_share`` at the last epoch."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs over which the factor rises from 0 to 1; fractions are allowed."""
    final_share: float = Field(default=0.0, ge=0, le=1)
    """Factor at the last epoch."""

    def factor(self, position: float, epochs: float) -> float:
        """The factor at ``position`` epochs (fractional, from 0) of ``epochs``."""
        if position < self.warmup_epochs:
            return max(position, 1e-3) / self.warmup_epochs
        if self.decay == "none":
            return 1.0
        span = max(epochs - self.warmup_epochs, 1e-9)
        done = min((position - self.warmup_epochs) / span, 1.0)
        left = 1.0 - done if self.decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.final_share + (1.0 - self.final_share) * left


class LearningRates:
    """Sets an optimiser's rates; it needs no state, since a factor depends on the position only."""

    def __init__(self, config: ScheduleConfig, optimiser: torch.optim.Optimizer) -> None:
        self.config = config
        self.optimiser = optimiser
        self.base = [float(group["lr"]) for group in optimiser.param_groups]
        self.is_constant = config.decay == "none" and config.warmup_epochs == 0

    def set(self, position: float, epochs: float) -> None:
        """Set every rate for a position in epochs, of so many in all."""
        if self.is_constant:
            return
        factor = self.config.factor(position, epochs)
        # Asked of the optimiser each time: loading a state gives it new groups.
        for group, rate in zip(self.optimiser.param_groups, self.base, strict=True):
            group["lr"] = rate * factor
