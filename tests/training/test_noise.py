"""Training on noisy features: the same perturbations as in curves, drawn anew or once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.data.perturbations import FEATURE_NOISE
from engine.data.perturbations.feature_table import FeatureTable
from engine.foundation.errors import ConfigError
from engine.models import MODELS, MultimodalConfig, build_model
from engine.robustness import PERTURBATIONS, FGSMConfig, perturb
from engine.training import MemoryRecorder, TrainConfig, fit, preset
from engine.training.training_noise import NoiseConfig, TrainingNoise

READERS = [config() for config in MODELS if issubclass(config, MultimodalConfig)]
QUICK = {"epochs": 3, "batch_size": 256, "device": "cpu", "model.width": 6}


def quick(**changes):
    return TrainConfig().changed(QUICK | changes)


def noise_of(tiny, kind, strength=0.4, redrawn="epoch", seed=3):
    config = NoiseConfig(kind=FEATURE_NOISE[kind](), strength=strength, redrawn=redrawn)
    features = load_features(tiny, ("image", "text"), FeatureConfig(), torch.device("cpu"))
    return TrainingNoise(config, tiny, features, "none", seed)


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[m], right[m]) for m in left)


@pytest.mark.parametrize("kind", FEATURE_NOISE)
def test_an_epoch_sees_what_a_curve_would_draw(tiny, kind):
    trained = fit(tiny, quick(epochs=1)).trained(tiny)
    noise = noise_of(tiny, kind)
    clean = {m: x.clone() for m, x in noise.clean.items()}
    seen = noise.features(2)
    assert equal(seen, perturb(trained, PERTURBATIONS[kind](), 0.4, seed=3, draw=2))
    assert not equal(seen, clean)
    assert equal(noise.clean, clean)


def test_epochs_differ_and_do_not_depend_on_those_before(tiny):
    noise = noise_of(tiny, "gaussian")
    first, second = noise.features(1), noise.features(2)
    assert not equal(first, second)
    assert equal(noise_of(tiny, "gaussian").features(2), second)
    assert not equal(noise_of(tiny, "gaussian", seed=4).features(2), second)


def test_what_is_not_drawn_is_made_once(tiny):
    noise = noise_of(tiny, "quantise")
    first = noise.features(1)
    assert all(noise.features(2)[m] is x for m, x in first.items())


def test_a_noisy_catalogue_stays_as_it_is(tiny):
    noise = noise_of(tiny, "swap", redrawn="never")
    assert equal(noise.features(1), noise.features(9))


@pytest.mark.parametrize("config", READERS, ids=[config.name for config in READERS])
@pytest.mark.parametrize("kind", ["gaussian", "missing", "swap"])
def test_every_model_that_reads_features_trains_on_noise(tiny, config, kind):
    model = config.model_dump(mode="json") | {"width": 6}
    changes = {"model": model, "noise.kind": kind, "noise.strength": 0.5}
    recorder = MemoryRecorder()
    result = fit(tiny, TrainConfig().changed({k: v for k, v in QUICK.items() if "." not in k} |
                                             changes), recorder)  # fmt: skip
    losses = [e["loss"] for e in recorder.events if e["kind"] == "epoch"]
    assert np.isfinite(losses).all()
    assert result.state == "finished"


def test_noise_of_strength_zero_is_no_noise_bit_for_bit(tiny):
    plain = fit(tiny, quick()).model
    still = fit(tiny, quick(**{"noise.kind": "swap", "noise.strength": 0.0})).model
    moved = fit(tiny, quick(**{"noise.kind": "swap", "noise.strength": 0.5})).model
    assert all(torch.equal(plain.theta()[n], w) for n, w in still.theta().items())
    assert any(not torch.equal(plain.theta()[n], w) for n, w in moved.theta().items())


def test_without_any_picture_or_text_the_projection_learns_nothing(tiny):
    config = quick(**{"noise.kind": "missing", "noise.strength": 1.0})
    trained, begun = fit(tiny, config).model.theta(), build_model(config.model, tiny, 0).theta()
    for m in ("image", "text"):
        assert torch.equal(trained[f"projection.{m}"], begun[f"projection.{m}"])
    assert not torch.equal(trained["users"], begun["users"])


def test_validation_and_test_see_clean_features(tiny):
    result = fit(tiny, quick(**{"noise.kind": "swap", "noise.strength": 1.0}))
    clean = load_features(tiny, result.model.modalities, FeatureConfig(), torch.device("cpu"))
    assert equal(result.trained(tiny).features, clean)


def test_noise_composes_with_strategies_and_resumes_bit_for_bit(tiny):
    changes = QUICK | {"objective.adversary.warm_start_epochs": 1, "checkpoint_every": 1}
    changes |= {"noise.kind": "mixing", "noise.strength": 0.3, "epochs": 4}
    config = preset("mg+amr", changes)
    whole = fit(tiny, config)
    recorder = MemoryRecorder()

    class Stop(Exception):
        pass

    def stop_in_epoch_3(share, message):
        if message.startswith("epoch 3"):
            raise Stop

    with pytest.raises(Stop):
        fit(tiny, config, recorder, stop_in_epoch_3)
    resumed = fit(tiny, config, recorder)
    for weights, expected in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(weights, expected)


def test_what_cannot_be_is_refused_by_name(tiny):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        quick(**{"noise.kind": "missing", "noise.strength": 1.5})
    with pytest.raises(ConfigError, match="reads no features"):
        fit(tiny, quick(**{"model": "bpr-mf", "noise.kind": "gaussian"}))
    with pytest.raises(ConfigError, match="kind"):
        quick(**{"noise.kind": "fgsm"})
    features = FeatureTable(tiny, load_features(tiny, ("image",), FeatureConfig(), torch.device(
        "cpu")), "none")  # fmt: skip
    with pytest.raises(TypeError, match="follows a model's gradient"):
        FGSMConfig().path(features, 0, 0)
