"""Which run is another's plainly trained twin: the model that transferred attacks come from."""

from __future__ import annotations

from collections.abc import Sequence

from engine.training import TrainConfig

SHARED = ("model", "features", "seed")
"""Settings that a twin must have: what it is and reads, and from which seed."""


def is_plain(config: TrainConfig) -> bool:
    """Whether a run is trained without any robust strategy."""
    return (
        config.objective.adversary is None
        and config.stepper.name == "plain"
        and config.noise.kind is None
        and config.averaging is None
    )


def plain_twin(config: TrainConfig, candidates: Sequence[TrainConfig]) -> int | None:
    """The place of the candidate that is the config's plain twin, or None.

    Of several the one that differs in fewest other settings, of those the first.
    """
    differences = {
        place: sum(
            getattr(config, name) != getattr(other, name) for name in TrainConfig.model_fields
        )
        for place, other in enumerate(candidates)
        if is_plain(other) and all(getattr(config, name) == getattr(other, name) for name in SHARED)
    }
    return min(differences, key=lambda place: differences[place], default=None)
