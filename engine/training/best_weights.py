"""The choice of weights: those of the epoch that validation ranks first."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.foundation.errors import BasinError
from engine.models import Recommender


@dataclass
class BestWeights:
    """The best epoch so far by the validation metric, and its weights."""

    epoch: int = 0
    """The epoch of these weights, from 1; 0 before the first validation that counts."""
    value: float = -1.0
    """The validation metric at that epoch."""
    n_without_improvement: int = 0
    """Validations since then; training stops when they reach the patience."""
    weights: dict[str, Tensor] = field(default_factory=dict)
    """Parameters by name."""

    def consider(self, epoch: int, value: float, model: Recommender) -> None:
        """Copy the model's weights if its validation metric is above every earlier one."""
        if value > self.value:
            self.epoch, self.value, self.n_without_improvement = epoch, value, 0
            self.weights = model.theta()
        else:
            self.n_without_improvement += 1

    def load_into(self, model: Recommender) -> None:
        """Put the weights into a model; raises BasinError where they are not finite."""
        if not all(bool(torch.isfinite(t).all()) for t in self.weights.values()):
            raise BasinError("no finite weights were ever reached; lower the learning rate.")
        model.load_theta(self.weights)
