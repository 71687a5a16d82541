"""What a model scores without its features: where that is as much, a flat curve is disuse."""

from __future__ import annotations

from engine.data.perturbations.noise.missing import MissingConfig
from engine.data.perturbations.perturbation import PerturbationConfig
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import FactorChange, factor_path


def features_removed(model: ModelUnderTest, modalities: tuple[str, ...]) -> FactorChange:
    """What is left of the factors when the named modalities of every item are zeros.

    Beside a flat curve it tells robustness from disuse: a model that scores as well without the
    features gains nothing by them. It may still be hurt through them.
    """
    return factor_path(model, MissingConfig(modalities=modalities), 0, 0)(1.0)


def why_flat(config: PerturbationConfig, model: ModelUnderTest, hit: str) -> str:
    """Why a perturbation cannot move a model that reads none of the features it hits."""
    reads = " and ".join(model.recommender.modalities) or "no features"
    return (
        f"{model.name} reads {reads}, so {config.title} on {hit} changes nothing: its line is flat."
    )
