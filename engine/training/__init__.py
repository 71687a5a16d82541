"""How training steps, the loop, and presets."""

from engine.training.fitting import Fit, fit
from engine.training.presets import PRESETS, preset
from engine.training.recorder import MemoryRecorder, Recorder, Snapshot
from engine.training.stepping.mirror_gradient import MirrorGradient, MirrorGradientConfig
from engine.training.stepping.optimisers import (
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    GuardedOptimiser,
    SGDConfig,
)
from engine.training.stepping.steppers import Plain, PlainConfig
from engine.training.train_config import TrainConfig
from engine.training.trained import Trained, strategies_of

__all__ = [
    "PRESETS",
    "AdagradConfig",
    "AdamConfig",
    "AdamWConfig",
    "Fit",
    "GuardedOptimiser",
    "MemoryRecorder",
    "MirrorGradient",
    "MirrorGradientConfig",
    "Plain",
    "PlainConfig",
    "Recorder",
    "SGDConfig",
    "Snapshot",
    "TrainConfig",
    "Trained",
    "fit",
    "preset",
    "strategies_of",
]
