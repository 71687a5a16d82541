"""Where training leaves its traces; the run store implements it on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Snapshot:
    """Everything needed to resume from an epoch's end: named tensors and plain JSON values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


class Recorder(Protocol):
    """Receives what happens during training. Every call either takes effect whole or raises."""

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """Append one event: 'epoch', 'validation', 'diagnostics', 'diverged', 'finished', ..."""

    def save_checkpoint(self, snapshot: Snapshot) -> None:
        """Keep the newest complete state; an older one is replaced only once this is whole."""

    def load_checkpoint(self) -> Snapshot | None:
        """The newest complete state, or None where there is none."""

    def save_weights(self, weights: dict[str, Tensor]) -> None:
        """Keep the weights that validation chose."""

    def save_snapshot(self, epoch: int, weights: dict[str, Tensor]) -> None:
        """Keep the weights at the end of an epoch, for the training trajectory."""


@dataclass
class MemoryRecorder:
    """Keeps everything in memory: for notebooks without a runs folder, and for tests."""

    events: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: Snapshot | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    trajectory: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def event(self, kind: str, values: dict[str, Any]) -> None:
        self.events.append({"kind": kind, **values})

    def save_checkpoint(self, snapshot: Snapshot) -> None:
        copied = {name: tensor.detach().clone() for name, tensor in snapshot.tensors.items()}
        self.checkpoint = Snapshot(copied, dict(snapshot.values))

    def load_checkpoint(self) -> Snapshot | None:
        return self.checkpoint

    def save_weights(self, weights: dict[str, Tensor]) -> None:
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def save_snapshot(self, epoch: int, weights: dict[str, Tensor]) -> None:
        self.trajectory[epoch] = {name: t.detach().clone() for name, t in weights.items()}
