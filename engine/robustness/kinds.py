"""The table of perturbations: a new one is one new file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.data.features import Features
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
from engine.data.perturbations.pixels.noise import PixelNoiseConfig
from engine.data.perturbations.pixels.occlusion import OcclusionConfig
from engine.data.perturbations.pixels.picture import PictureConfig
from engine.data.perturbations.texts.text import TextConfig
from engine.data.perturbations.texts.word_drop import WordDropConfig
from engine.data.perturbations.texts.word_injection import WordInjectionConfig
from engine.data.perturbations.texts.word_swap import WordSwapConfig
from engine.foundation.errors import ConfigError
from engine.robustness.attacks.fgsm import FGSMConfig
from engine.robustness.attacks.pgd import PGDConfig
from engine.robustness.factor_paths import changed_features
from engine.robustness.pixels.attack import PixelFGSMConfig, PixelPGDConfig
from engine.robustness.subject import Subject
from engine.training import Trained

FEATURE_PERTURBATIONS: dict[str, type[PerturbationConfig]] = {
    "gaussian": GaussianConfig,
    "uniform": UniformConfig,
    "random": RandomDirectionConfig,
    "mixing": MixingConfig,
    "missing": MissingConfig,
    "swap": SwapConfig,
    "quantise": QuantiseConfig,
    "precision": PrecisionConfig,
    "fgsm": FGSMConfig,
    "pgd": PGDConfig,
}
"""Perturbations of the features themselves, by name."""

PICTURE_PERTURBATIONS: dict[str, type[PictureConfig]] = {
    "blur": BlurConfig,
    "jpeg": JPEGConfig,
    "brightness": BrightnessConfig,
    "occlusion": OcclusionConfig,
    "pixel_noise": PixelNoiseConfig,
    "pixel_fgsm": PixelFGSMConfig,
    "pixel_pgd": PixelPGDConfig,
}
"""Perturbations of pictures, by name; they need the encoders' extra and take seconds."""

TEXT_PERTURBATIONS: dict[str, type[TextConfig]] = {
    "word_drop": WordDropConfig,
    "word_swap": WordSwapConfig,
    "word_injection": WordInjectionConfig,
}
"""Perturbations of texts, by name; they need the encoders' extra and take seconds."""

PERTURBATIONS: dict[str, type[PerturbationConfig]] = {
    **FEATURE_PERTURBATIONS,
    **PICTURE_PERTURBATIONS,
    **TEXT_PERTURBATIONS,
}
"""Every perturbation's config class by its name."""

AnyPerturbationConfig = Annotated[
    GaussianConfig
    | UniformConfig
    | RandomDirectionConfig
    | MixingConfig
    | MissingConfig
    | SwapConfig
    | QuantiseConfig
    | PrecisionConfig
    | FGSMConfig
    | PGDConfig
    | BlurConfig
    | JPEGConfig
    | BrightnessConfig
    | OcclusionConfig
    | PixelNoiseConfig
    | PixelFGSMConfig
    | PixelPGDConfig
    | WordDropConfig
    | WordSwapConfig
    | WordInjectionConfig,
    Field(discriminator="name"),
]


def perturb(
    trained: Trained,
    config: PerturbationConfig,
    strength: float,
    seed: int = 0,
    draw: int = 0,
) -> Features:
    """The features [I, F] by modality that the model would read under a perturbation; copies.

    Only the config's modalities and items differ from the clean features, and nothing does at
    strength 0. A model without features gives {}. Raises ConfigError for a strength that is
    negative or above the kind's limit, or an unknown item.
    """
    check_strength(config, strength)
    subject = Subject(trained)
    if not subject.modalities(config):
        return {m: x.clone() for m, x in trained.features.items()}
    return changed_features(subject, config.path(subject, seed, draw).at(strength))


def check_strength(config: PerturbationConfig, strength: float) -> None:
    """Raises ConfigError for a strength that the kind cannot have."""
    limit = config.strength_limit
    if not (strength >= 0 and (limit is None or strength <= limit)):
        allowed = "0 or more" if limit is None else f"between 0 and {limit:g}"
        raise ConfigError(
            f"{config.title}: strength {strength} ({config.strength_unit}) must be {allowed}."
        )
