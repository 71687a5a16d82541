"""Loss landscapes and curvature: slices, trajectories, Hessian spectra, flatness measures."""

from engine.geometry.slices import Slice, SliceConfig
from engine.geometry.slicing import loss_slice

__all__ = ["Slice", "SliceConfig", "loss_slice"]
