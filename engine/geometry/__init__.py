"""Loss landscapes and curvature: slices, trajectories, Hessian spectra, flatness measures."""

from engine.geometry.curvature import Curvature
from engine.geometry.curvature_analysis import curvature
from engine.geometry.curvature_config import CurvatureConfig
from engine.geometry.flatness import flatness_frame, flatness_table, flatness_versus_robustness
from engine.geometry.measures import MEASURES, Measure
from engine.geometry.mode_path import ModePath, ModePathConfig, mode_path
from engine.geometry.scale_symmetry import (
    ScaleSymmetry,
    ScaleSymmetryConfig,
    rescaled,
    scale_symmetry,
)
from engine.geometry.slice_config import SliceConfig
from engine.geometry.slices import Slice
from engine.geometry.slicing import loss_slice
from engine.geometry.triples import frozen_triples

__all__ = [
    "MEASURES",
    "Curvature",
    "CurvatureConfig",
    "Measure",
    "ModePath",
    "ModePathConfig",
    "ScaleSymmetry",
    "ScaleSymmetryConfig",
    "Slice",
    "SliceConfig",
    "curvature",
    "flatness_frame",
    "flatness_table",
    "flatness_versus_robustness",
    "frozen_triples",
    "loss_slice",
    "mode_path",
    "rescaled",
    "scale_symmetry",
]
