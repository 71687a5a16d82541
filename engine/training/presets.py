"""Named starting points: a strategy is what is minimised and how it steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.foundation.errors import ConfigError
from engine.objectives import AMRConfig, ObjectiveConfig
from engine.training.config import TrainConfig
from engine.training.steppers import MirrorGradientConfig

PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "plain": (
        "BPR by plain Adam: the baseline (settings of Mirror Gradient's released code)",
        TrainConfig(),
    ),
    "mg": (
        "Mirror Gradient, alpha 1.0 / 0.2, every 3rd batch (arXiv 2402.11262)",
        TrainConfig(stepper=MirrorGradientConfig()),
    ),
    "amr": (
        "Adversarial features, epsilon 0.3 of each row's norm, lambda 1, after a plain warm start "
        "(method of arXiv 1809.07062; epsilon in Basin's relative unit)",
        TrainConfig(objective=ObjectiveConfig(adversary=AMRConfig())),
    ),
    "mg+amr": (
        "Both: AMR is what is minimised, Mirror Gradient how it steps",
        TrainConfig(
            objective=ObjectiveConfig(adversary=AMRConfig()), stepper=MirrorGradientConfig()
        ),
    ),
}
"""Each preset's one-line description and config."""


def preset(name: str, overrides: Mapping[str, Any] | None = None) -> TrainConfig:
    """A preset's config, with dotted fields replaced.

    Raises ConfigError for an unknown name or field.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset '{name}' is unknown; there are {', '.join(PRESETS)}.")
    return PRESETS[name][1].changed(overrides or {})
