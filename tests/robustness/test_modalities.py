"""Features of any name: sound beside picture and text is perturbed like any other."""

from __future__ import annotations

import pytest
import torch

from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import changed_features
from engine.foundation.errors import ConfigError
from engine.robustness import FEATURE_PERTURBATIONS, CurveConfig, FGSMConfig, GaussianConfig
from engine.robustness.curves.curve_config import variants_of


class Catalogue:
    """As much of a dataset as a perturbation without a model reads."""

    def __init__(self, shop, features: Features) -> None:
        self.name, self.n_items, self.items, self.features = "heard", 40, shop.items, features


@pytest.fixture
def heard(shop):
    draws = torch.Generator().manual_seed(1)
    widths = {"image": 6, "text": 5, "audio": 4}
    features = {m: torch.rand(40, width, generator=draws) for m, width in widths.items()}
    return FeatureTable(Catalogue(shop, features), features, "none")


NOISE = [k for k in FEATURE_PERTURBATIONS.values() if k.risk != "adversarial"]


@pytest.mark.parametrize("kind", NOISE)
def test_noise_hits_all_modalities_or_the_one_that_is_named(heard, kind):
    for names, hit in ((("all",), {"image", "text", "audio"}), (("audio",), {"audio"})):
        change = kind(modalities=names).path(heard, 0, 0).at(0.8)
        assert set(change.features) == hit
        after = changed_features(heard.features, change)
        moved = {m for m in after if not torch.equal(after[m], heard.features[m])}
        assert moved == hit


def test_curves_have_one_set_for_each_modality_named(shop):
    config = CurveConfig(kinds=(GaussianConfig(), FGSMConfig()), modalities=("both", "audio"))
    hits = [v.config.modalities for v in variants_of(config, shop)]
    assert hits == [("all",), ("audio",)] + [("all",)] * 2 + [("audio",)] * 2


def test_a_modality_that_is_not_there_is_named(heard):
    with pytest.raises(ConfigError, match="no smell features; choose among image, text, audio"):
        heard.modalities(GaussianConfig(modalities=("smell",)))
