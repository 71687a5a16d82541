"""Loss landscapes and curvature: slices, trajectories, Hessian spectra, flatness measures."""

from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.curvature_result import Curvature
from engine.geometry.curvature.flatness_statistics import (
    flatness_frame,
    flatness_table,
    flatness_versus_robustness,
)
from engine.geometry.curvature.measures.measure import MEASURES, Measure
from engine.geometry.curvature.symmetry.symmetry_computation import (
    ScaleSymmetry,
    ScaleSymmetryConfig,
    rescaled,
    scale_symmetry,
)
from engine.geometry.paths import ModePath, ModePathConfig, mode_path
from engine.geometry.slices import Slice, SliceConfig, loss_slice
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
    "flatness_frame",
    "flatness_table",
    "flatness_versus_robustness",
    "frozen_triples",
    "loss_slice",
    "mode_path",
    "rescaled",
    "scale_symmetry",
]
