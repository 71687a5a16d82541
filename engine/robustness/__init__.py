"""Perturbations of features, attacks on them, and what they do to accuracy."""

from engine.data.perturbations.noise.gaussian import GaussianConfig
from engine.data.perturbations.noise.missing import MissingConfig
from engine.data.perturbations.noise.mixing import MixingConfig
from engine.data.perturbations.noise.precision import PrecisionConfig
from engine.data.perturbations.noise.quantise import QuantiseConfig
from engine.data.perturbations.noise.random_direction import RandomDirectionConfig
from engine.data.perturbations.noise.swap import SwapConfig
from engine.data.perturbations.noise.uniform import UniformConfig
from engine.data.perturbations.perturbation import PerturbationConfig
from engine.data.perturbations.pixels.blur import BlurConfig
from engine.data.perturbations.pixels.brightness import BrightnessConfig
from engine.data.perturbations.pixels.jpeg import JPEGConfig
from engine.data.perturbations.pixels.occlusion import OcclusionConfig
from engine.data.perturbations.pixels.picture import PictureConfig, PictureEditConfig
from engine.data.perturbations.pixels.pixel_noise import PixelNoiseConfig
from engine.data.perturbations.texts.text import TextConfig
from engine.data.perturbations.texts.word_drop import WordDropConfig
from engine.data.perturbations.texts.word_injection import WordInjectionConfig
from engine.data.perturbations.texts.word_swap import WordSwapConfig
from engine.robustness.all_perturbations import (
    FEATURE_PERTURBATIONS,
    PERTURBATIONS,
    PICTURE_PERTURBATIONS,
    TEXT_PERTURBATIONS,
    AnyPerturbationConfig,
    perturb,
)
from engine.robustness.attacks import AttackConfig, FGSMConfig, GoalConfig, PGDConfig
from engine.robustness.curves import (
    CurveConfig,
    RobustnessCurves,
    bands,
    compare_strategies,
    half_strength,
    indifferent,
    item_groups,
    kept_area,
    robustness_curves,
    summary,
    worst_attack_kept,
)
from engine.robustness.pixels import (
    PictureChange,
    PixelFGSMConfig,
    PixelPGDConfig,
    picture_change,
    picture_edit,
)
from engine.robustness.probing import ProbeAnswer, RobustnessProbe
from engine.robustness.standard import (
    StandardAttackConfig,
    StandardAttacks,
    standard_attacks,
    tradeoff_means,
)

__all__ = [
    "FEATURE_PERTURBATIONS",
    "PERTURBATIONS",
    "PICTURE_PERTURBATIONS",
    "TEXT_PERTURBATIONS",
    "AnyPerturbationConfig",
    "AttackConfig",
    "BlurConfig",
    "BrightnessConfig",
    "CurveConfig",
    "FGSMConfig",
    "GaussianConfig",
    "GoalConfig",
    "JPEGConfig",
    "MissingConfig",
    "MixingConfig",
    "OcclusionConfig",
    "PGDConfig",
    "PerturbationConfig",
    "PictureChange",
    "PictureConfig",
    "PictureEditConfig",
    "PixelFGSMConfig",
    "PixelNoiseConfig",
    "PixelPGDConfig",
    "PrecisionConfig",
    "ProbeAnswer",
    "QuantiseConfig",
    "RandomDirectionConfig",
    "RobustnessCurves",
    "RobustnessProbe",
    "StandardAttackConfig",
    "StandardAttacks",
    "SwapConfig",
    "TextConfig",
    "UniformConfig",
    "WordDropConfig",
    "WordInjectionConfig",
    "WordSwapConfig",
    "bands",
    "compare_strategies",
    "half_strength",
    "indifferent",
    "item_groups",
    "kept_area",
    "perturb",
    "picture_change",
    "picture_edit",
    "robustness_curves",
    "standard_attacks",
    "summary",
    "tradeoff_means",
    "worst_attack_kept",
]
