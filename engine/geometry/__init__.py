"""Loss landscapes and curvature: slices, trajectories, Hessian spectra, flatness measures."""

from engine.geometry.curvature import MEASURES, Curvature, CurvatureConfig, Measure
from engine.geometry.curvature_analysis import curvature
from engine.geometry.slices import Slice, SliceConfig
from engine.geometry.slicing import loss_slice

__all__ = [
    "MEASURES",
    "Curvature",
    "CurvatureConfig",
    "Measure",
    "Slice",
    "SliceConfig",
    "curvature",
    "loss_slice",
]
