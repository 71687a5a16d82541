"""Loss landscapes and curvature: slices, trajectories, Hessian spectra, flatness measures."""

from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.curvature_result import Curvature
from engine.geometry.curvature.flatness_statistics import (
    flatness_frame,
    flatness_table,
    flatness_versus_robustness,
)
from engine.geometry.curvature.measures import (
    MEASURES,
    Measure,
    in_table_order,
    measure_of,
    title_of,
)
from engine.geometry.curvature.symmetry import Symmetry, SymmetryConfig, measure_symmetry
from engine.geometry.curvature.training_curvature_computation import curvature_along_training
from engine.geometry.curvature.training_curvature_config import TrainingCurvatureConfig
from engine.geometry.curvature.training_curvature_result import TrainingCurvature
from engine.geometry.paths import ModePath, ModePathConfig, mode_path
from engine.geometry.profiles import LossProfiles, ProfileConfig, loss_profiles
from engine.geometry.slices import Slice, SliceConfig, loss_slice
from engine.geometry.triples import frozen_triples

__all__ = [
    "MEASURES",
    "Curvature",
    "CurvatureConfig",
    "LossProfiles",
    "Measure",
    "ModePath",
    "ModePathConfig",
    "ProfileConfig",
    "Slice",
    "SliceConfig",
    "Symmetry",
    "SymmetryConfig",
    "TrainingCurvature",
    "TrainingCurvatureConfig",
    "curvature_along_training",
    "flatness_frame",
    "flatness_table",
    "flatness_versus_robustness",
    "frozen_triples",
    "in_table_order",
    "loss_profiles",
    "loss_slice",
    "measure_of",
    "measure_symmetry",
    "mode_path",
    "title_of",
]
