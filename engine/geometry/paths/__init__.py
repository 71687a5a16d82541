"""Paths between the weights of two runs: config, computation, result."""

from engine.geometry.paths.path_computation import mode_path
from engine.geometry.paths.path_config import ModePathConfig
from engine.geometry.paths.path_result import ModePath

__all__ = ["ModePath", "ModePathConfig", "mode_path"]
