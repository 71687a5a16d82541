"""Hessian eigenvalues, spectral density and flatness measures: config, computation, result."""

from engine.geometry.curvature.curvature_computation import curvature
from engine.geometry.curvature.curvature_config import CurvatureConfig
from engine.geometry.curvature.curvature_result import Curvature

__all__ = ["Curvature", "CurvatureConfig", "curvature"]
