"""The table of perturbations: those that need no model, and attacks.

A new attack is one new file and one line in each of the two tables below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.data.features import Features
from engine.data.perturbations import FEATURE_NOISE, PICTURE_EDITS, TEXT_EDITS, AnyNoise
from engine.data.perturbations.perturbation import (
    PerturbationConfig,
    changed_features,
    check_strength,
)
from engine.data.perturbations.pixels.picture import PictureConfig
from engine.data.perturbations.texts.text import TextConfig
from engine.robustness.attacks.fgsm import FGSMConfig
from engine.robustness.attacks.pgd import PGDConfig
from engine.robustness.perturbed_model.model_under_test import Subject
from engine.robustness.pixels.pixel_attack import PixelFGSMConfig, PixelPGDConfig
from engine.training import Trained

FEATURE_PERTURBATIONS: dict[str, type[PerturbationConfig]] = {
    **FEATURE_NOISE,
    "fgsm": FGSMConfig,
    "pgd": PGDConfig,
}
"""Perturbations of the features themselves, by name."""

PICTURE_PERTURBATIONS: dict[str, type[PictureConfig]] = {
    **PICTURE_EDITS,
    "pixel_fgsm": PixelFGSMConfig,
    "pixel_pgd": PixelPGDConfig,
}
"""Perturbations of pictures, by name; they need the encoders' extra and take seconds."""

TEXT_PERTURBATIONS: dict[str, type[TextConfig]] = TEXT_EDITS
"""Perturbations of texts, by name; they need the encoders' extra and take seconds."""

PERTURBATIONS: dict[str, type[PerturbationConfig]] = {
    **FEATURE_PERTURBATIONS,
    **PICTURE_PERTURBATIONS,
    **TEXT_PERTURBATIONS,
}
"""Every perturbation's config class by its name."""

AnyPerturbationConfig = Annotated[
    AnyNoise | FGSMConfig | PGDConfig | PixelFGSMConfig | PixelPGDConfig,
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
    return changed_features(subject.features, config.path(subject, seed, draw).at(strength))
