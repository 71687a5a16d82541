"""Which flatness measures move while every user's order of items stays as it is."""

from engine.geometry.curvature.symmetry.symmetry_computation import measure_symmetry
from engine.geometry.curvature.symmetry.symmetry_config import SymmetryConfig
from engine.geometry.curvature.symmetry.symmetry_result import Symmetry

__all__ = ["Symmetry", "SymmetryConfig", "measure_symmetry"]
