"""Accuracy against strength: configs, the computation, results and what they say over seeds."""

from engine.robustness.curves.bands import bands, half_strength, indifferent, kept_area, summary
from engine.robustness.curves.curve_computation import robustness_curves
from engine.robustness.curves.curve_config import CurveConfig
from engine.robustness.curves.curve_result import RobustnessCurves
from engine.robustness.curves.item_groups import item_groups
from engine.robustness.curves.paired_strategies import compare_strategies
from engine.robustness.curves.worst_attack import worst_attack_kept

__all__ = [
    "CurveConfig",
    "RobustnessCurves",
    "bands",
    "compare_strategies",
    "half_strength",
    "indifferent",
    "item_groups",
    "kept_area",
    "robustness_curves",
    "summary",
    "worst_attack_kept",
]
