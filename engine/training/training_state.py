"""Where a training run stands, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TrainingState:
    """Counters of a run at the end of an epoch."""

    epoch: int = 0
    """Epochs completed."""
    gradient_passes: int = 0
    """Backward passes over a batch so far."""
    seconds: float = 0.0
    """Wall time of training, validation included, summed over resumed parts."""
    is_warm_start: bool = False
    """Whether the adversary waits for its plain warm start to end."""
    phase_start: int = 0
    """Epochs completed before the present phase, warm start or main, began."""
    passes_before_phase: int = 0
    """Gradient passes before it."""
    n_micro_batches: int = 1
    """Parts that each batch is split into, more than one where a device's memory is short."""
