"""Perturbations of features that no model is needed for: at test time and while training.

A new kind is one new file and one entry in one of the unions below. Attacks, which follow a model's
gradient, are in ``engine.robustness``.
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
from engine.foundation.config import configs_by_name

AnyFeatureNoise = (
    GaussianConfig
    | UniformConfig
    | RandomDirectionConfig
    | MixingConfig
    | MissingConfig
    | SwapConfig
    | QuantiseConfig
    | PrecisionConfig
)
"""Perturbations of the features themselves."""

AnyPictureEdit = BlurConfig | JPEGConfig | BrightnessConfig | OcclusionConfig | PixelNoiseConfig
"""Edits of pictures; they need the encoders' extra and take seconds."""

AnyTextEdit = WordDropConfig | WordSwapConfig | WordInjectionConfig
"""Edits of texts; they need the encoders' extra and take seconds."""

AnyNoise = AnyFeatureNoise | AnyPictureEdit | AnyTextEdit
"""Any of them."""

AnyNoiseConfig = Annotated[AnyNoise, Field(discriminator="name")]
"""Any of them as a field of a config, told apart by its name."""

FEATURE_NOISE: dict[str, type[PerturbationConfig]] = configs_by_name(AnyFeatureNoise)
PICTURE_EDITS: dict[str, type[PictureEditConfig]] = configs_by_name(AnyPictureEdit)
TEXT_EDITS: dict[str, type[TextConfig]] = configs_by_name(AnyTextEdit)
NOISE: dict[str, type[PerturbationConfig]] = configs_by_name(AnyNoise)
"""The same by name."""
