"""Every perturbation by name: those that need no model, and attacks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.data.features import Features
from engine.data.perturbations import AnyFeatureNoise, AnyPictureEdit, AnyTextEdit
from engine.data.perturbations.perturbation import (
    PerturbationConfig,
    changed_features,
    check_strength,
)
from engine.data.perturbations.pixels.picture import PictureConfig
from engine.data.perturbations.texts.text import TextConfig
from engine.foundation.config import configs_by_name
from engine.robustness.attacks import AnyFeatureAttack
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.pixels import AnyPictureAttack
from engine.training import Trained

AnyFeaturePerturbation = AnyFeatureNoise | AnyFeatureAttack
AnyPicturePerturbation = AnyPictureEdit | AnyPictureAttack
AnyPerturbation = AnyFeaturePerturbation | AnyPicturePerturbation | AnyTextEdit

AnyPerturbationConfig = Annotated[AnyPerturbation, Field(discriminator="name")]
"""Any perturbation as a field of a config, told apart by its name."""

FEATURE_PERTURBATIONS: dict[str, type[PerturbationConfig]] = configs_by_name(AnyFeaturePerturbation)
"""Perturbations of the features themselves, by name."""

PICTURE_PERTURBATIONS: dict[str, type[PictureConfig]] = configs_by_name(AnyPicturePerturbation)
"""Perturbations of pictures, by name; they need the encoders' extra and take seconds."""

TEXT_PERTURBATIONS: dict[str, type[TextConfig]] = configs_by_name(AnyTextEdit)
"""Perturbations of texts, by name; they need the encoders' extra and take seconds."""

PERTURBATIONS: dict[str, type[PerturbationConfig]] = configs_by_name(AnyPerturbation)
"""Every perturbation's config class by its name."""


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
    model = ModelUnderTest(trained)
    if not model.modalities(config):
        return {m: x.clone() for m, x in trained.features.items()}
    return changed_features(model.features, config.path(model, seed, draw).at(strength))
