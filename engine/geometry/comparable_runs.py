"""Which runs may be looked at together, and what figures call each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.foundation.errors import ConfigError
from engine.geometry.theta import factors_at, theta_of
from engine.training import Trained


def check_comparable(trained: Sequence[Trained]) -> None:
    """Raises ConfigError unless all runs have one dataset and parameters of one shape."""
    if not trained:
        raise ConfigError("no run was given; a slice needs at least one.")
    first = trained[0]
    shapes = {n: tuple(p.shape) for n, p in first.model.named_parameters()}
    for r, other in enumerate(trained[1:], 1):
        if {n: tuple(p.shape) for n, p in other.model.named_parameters()} != shapes:
            raise ConfigError(
                f"'{name_of(trained, r)}' and '{name_of(trained, 0)}' have weights of "
                "different names or shapes, so they share no direction; compare runs of one model "
                "and width."
            )
        if next(other.model.parameters()).dtype != next(first.model.parameters()).dtype:
            raise ConfigError(
                f"'{name_of(trained, r)}' and '{name_of(trained, 0)}' have weights of different "
                "precision, so they share no direction; compare runs of one precision."
            )
        same = other.dataset is first.dataset
        if not same and other.dataset.fingerprint != first.dataset.fingerprint:
            raise ConfigError(
                f"'{name_of(trained, r)}' was trained on '{other.dataset.name}', "
                f"'{name_of(trained, 0)}' on '{first.dataset.name}'; compare runs of one "
                "dataset."
            )


def check_one_network(trained: Sequence[Trained]) -> None:
    """Raises ConfigError unless equal weights mean equal scores in all runs.

    What passes through several runs is measured with the first one's network and features, which
    must make of each other run's weights the factors that it has itself.
    """
    first = trained[0]
    for r, other in enumerate(trained[1:], 1):
        with torch.no_grad():
            here = factors_at(first, theta_of(other))
        pairs = list(zip(here, other.factors(), strict=True))
        if all(torch.allclose(a, b, 1e-3, 1e-4 * float(b.abs().max())) for a, b in pairs):
            continue
        differing = [
            f"{part}.{name}"
            for part in ("model", "features")
            for name, value in getattr(other.config, part).model_dump().items()
            if getattr(first.config, part).model_dump().get(name) != value
        ]
        raise ConfigError(
            f"the weights of '{name_of(trained, r)}' give other scores in the network of "
            f"'{name_of(trained, 0)}' (settings that differ: {', '.join(differing) or 'none'}); "
            "what passes through both needs runs of equal networks and features."
        )


def name_of(trained: Sequence[Trained], r: int) -> str:
    """What figures call a run: its label, its id, or its number.

    Labels that repeat among the runs, as those of several seeds do, end in the end of the id.
    """
    label, run = trained[r].label, trained[r].run
    if label and run and [other.label for other in trained].count(label) > 1:
        return f"{label} · {run[-4:]}"
    return label or run or f"run {r + 1}"
