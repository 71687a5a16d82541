"""Perturbations of features that no model is needed for: at test time and while training.

The table of kinds: a new one is one new file and one line in each of the two tables below. Attacks,
which follow a model's gradient, are in ``engine.robustness``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
from engine.data.perturbations.pixels.picture import PictureEditConfig
from engine.data.perturbations.pixels.pixel_noise import PixelNoiseConfig
from engine.data.perturbations.texts.text import TextConfig
from engine.data.perturbations.texts.word_drop import WordDropConfig
from engine.data.perturbations.texts.word_injection import WordInjectionConfig
from engine.data.perturbations.texts.word_swap import WordSwapConfig

FEATURE_NOISE: dict[str, type[PerturbationConfig]] = {
    "gaussian": GaussianConfig,
    "uniform": UniformConfig,
    "random": RandomDirectionConfig,
    "mixing": MixingConfig,
    "missing": MissingConfig,
    "swap": SwapConfig,
    "quantise": QuantiseConfig,
    "precision": PrecisionConfig,
}
"""Perturbations of the features themselves, by name."""

PICTURE_EDITS: dict[str, type[PictureEditConfig]] = {
    "blur": BlurConfig,
    "jpeg": JPEGConfig,
    "brightness": BrightnessConfig,
    "occlusion": OcclusionConfig,
    "pixel_noise": PixelNoiseConfig,
}
"""Edits of pictures, by name; they need the encoders' extra and take seconds."""

TEXT_EDITS: dict[str, type[TextConfig]] = {
    "word_drop": WordDropConfig,
    "word_swap": WordSwapConfig,
    "word_injection": WordInjectionConfig,
}
"""Edits of texts, by name; they need the encoders' extra and take seconds."""

NOISE: dict[str, type[PerturbationConfig]] = {**FEATURE_NOISE, **PICTURE_EDITS, **TEXT_EDITS}
"""Every kind here by its name."""

AnyNoise = (
    GaussianConfig
    | UniformConfig
    | RandomDirectionConfig
    | MixingConfig
    | MissingConfig
    | SwapConfig
    | QuantiseConfig
    | PrecisionConfig
    | BlurConfig
    | JPEGConfig
    | BrightnessConfig
    | OcclusionConfig
    | PixelNoiseConfig
    | WordDropConfig
    | WordSwapConfig
    | WordInjectionConfig
)
"""Any of them."""

AnyNoiseConfig = Annotated[AnyNoise, Field(discriminator="name")]
"""Any of them as a field of a config, told apart by its name."""
