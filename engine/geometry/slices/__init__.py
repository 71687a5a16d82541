"""Loss and metric slices through weight space: config, computation, result."""

from engine.geometry.slices.slice_computation import loss_slice
from engine.geometry.slices.slice_config import PerturbationName, SliceConfig
from engine.geometry.slices.slice_result import Slice

__all__ = ["PerturbationName", "Slice", "SliceConfig", "loss_slice"]
