"""Modalities are whatever a dataset has: every model and strategy takes a third one."""

import numpy as np
import pytest

from engine.data import synthetic
from engine.foundation.errors import ConfigError
from engine.geometry import CurvatureConfig
from engine.geometry.curvature import curvature
from engine.models import MODELS, MultimodalConfig, build_model
from engine.robustness import CurveConfig, StandardAttackConfig, robustness_curves, standard_attacks
from engine.training import TrainConfig, fit

CONFIGS = [config() for config in MODELS if issubclass(config, MultimodalConfig)]
NAMES = [config.name for config in CONFIGS]
ALL = ("audio", "image", "text")


@pytest.fixture(scope="module")
def heard():
    """Items with pictures, texts and sounds."""
    return synthetic(40, 30, 500, image_width=7, text_width=6, audio_width=5, seed=3)


@pytest.fixture(scope="module", params=CONFIGS, ids=NAMES)
def trained(request, heard):
    settings = {
        "model": request.param.model_dump(mode="json") | {"width": 6},
        "objective.adversary": "amr",
        "objective.adversary.warm_start_epochs": 1,
        "epochs": 2,
        "batch_size": 128,
        "device": "cpu",
        "precision": "float64",
    }
    return fit(heard, TrainConfig().changed(settings)).trained(heard)


def test_a_model_reads_all_that_the_dataset_has(trained):
    assert trained.model.modalities == ALL
    assert set(trained.features) == set(ALL)


def test_curves_and_curvature_are_finite(trained):
    config = CurveConfig(kinds=("gaussian", "fgsm"), strengths=(0.0, 0.5), n_draws=1)
    assert np.isfinite(robustness_curves([trained], config).to_frame()["value"]).all()
    quick = {"n_triples": 100, "n_top": 1, "n_bottom": 1, "trace_products": 6, "tolerance": 0.05}
    result = curvature(trained, CurvatureConfig().changed(quick | {"density_probes": 0}))
    assert np.isfinite(result.top_eigenvalues_K).all()
    assert result.modalities == list(ALL)


def test_one_modality_or_all_of_them_are_attacked(trained):
    curves = CurveConfig(
        kinds=("pgd", "mixing"), modalities=("audio", "both"), strengths=(0.5,), n_draws=1
    )
    frame = robustness_curves([trained], curves).to_frame()
    assert set(frame["modality"]) == {"audio", "both"}
    assert np.isfinite(frame["value"]).all()
    quick = StandardAttackConfig(strengths=(0.5,), steps=2, restarts=1, n_draws=1, cutoff=5)
    for modalities in (("all",), ("audio",)):
        config = quick.model_copy(update={"modalities": modalities})
        runs = standard_attacks([trained], config).per_run()
        assert (runs["worst"] <= runs["clean"]).all()
        reads_several = modalities == ("all",) and runs["is_attackable"].all()
        assert runs["joint"].notna().all() == reads_several


@pytest.mark.parametrize("config", CONFIGS, ids=NAMES)
def test_a_model_reads_one_modality_alone_or_says_that_it_is_missing(config, heard, tiny):
    alone = config.model_copy(update={"modalities": ("audio",)})
    assert build_model(alone, heard, 0).modalities == ("audio",)
    with pytest.raises(ConfigError, match=r"reads audio features, .* has image, text"):
        build_model(alone, tiny, 0)
