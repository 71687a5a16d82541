"""Perturbations of features, attacks on them, and what they do to accuracy."""

from engine.robustness.attacks.attack import AttackConfig
from engine.robustness.attacks.fgsm import FGSMConfig
from engine.robustness.attacks.pgd import PGDConfig
from engine.robustness.bands import bands, half_strength, kept_area, per_run, summary
from engine.robustness.curve_config import CurveConfig
from engine.robustness.curve_result import RobustnessCurves
from engine.robustness.curves import robustness_curves
from engine.robustness.groups import item_groups
from engine.robustness.kinds import (
    FEATURE_PERTURBATIONS,
    PERTURBATIONS,
    AnyPerturbationConfig,
    perturb,
)
from engine.robustness.noise.gaussian import GaussianConfig
from engine.robustness.noise.missing import MissingConfig
from engine.robustness.noise.mixing import MixingConfig
from engine.robustness.noise.precision import PrecisionConfig
from engine.robustness.noise.quantise import QuantiseConfig
from engine.robustness.noise.random_direction import RandomDirectionConfig
from engine.robustness.noise.swap import SwapConfig
from engine.robustness.noise.uniform import UniformConfig
from engine.robustness.perturbation import PerturbationConfig
from engine.robustness.probe import ProbeAnswer, RobustnessProbe

__all__ = [
    "FEATURE_PERTURBATIONS",
    "PERTURBATIONS",
    "AnyPerturbationConfig",
    "AttackConfig",
    "CurveConfig",
    "FGSMConfig",
    "GaussianConfig",
    "MissingConfig",
    "MixingConfig",
    "PGDConfig",
    "PerturbationConfig",
    "PrecisionConfig",
    "ProbeAnswer",
    "QuantiseConfig",
    "RandomDirectionConfig",
    "RobustnessCurves",
    "RobustnessProbe",
    "SwapConfig",
    "UniformConfig",
    "bands",
    "half_strength",
    "item_groups",
    "kept_area",
    "per_run",
    "perturb",
    "robustness_curves",
    "summary",
]
