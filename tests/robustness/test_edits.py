"""Edits of pictures and texts, seen through the frozen encoders (the optional extra)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from engine.data import Dataset, Interactions
from engine.data.perturbations.pixels.picture import Pictures
from engine.data.perturbations.texts.text import Texts
from engine.foundation.errors import ConfigError, MissingExtraError
from engine.models import VBPRConfig
from engine.robustness import (
    PICTURE_PERTURBATIONS,
    TEXT_PERTURBATIONS,
    BlurConfig,
    JPEGConfig,
    OcclusionConfig,
    PictureEditConfig,
    PixelFGSMConfig,
    PixelNoiseConfig,
    PixelPGDConfig,
    RobustnessProbe,
    WordDropConfig,
    WordInjectionConfig,
    WordSwapConfig,
    perturb,
    picture_change,
    picture_edit,
)
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.training import TrainConfig, Trained
from engine.training.training_noise import NoiseConfig, TrainingNoise

PICTURES = list(PICTURE_PERTURBATIONS.values())
TEXTS = list(TEXT_PERTURBATIONS.values())
STRONG = {"blur": 4, "jpeg": 90, "brightness": 64, "occlusion": 0.25, "pixel_noise": 16}
EDITS = [WordDropConfig, WordSwapConfig, WordInjectionConfig]


def drawn_pictures(folder):
    draws = np.random.default_rng(0)
    for item in range(6):
        picture = np.kron(draws.integers(0, 256, (8, 8, 3)), np.ones((28, 28, 1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{item}.png")
    return [str(folder / f"{item}.png") for item in range(6)]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A shop of six pictured items, with features made by the encoders."""
    encoders = pytest.importorskip("engine.data.encoders")
    paths = drawn_pictures(tmp_path_factory.mktemp("pictures"))
    items = pd.DataFrame(
        {
            "title": [f"{colour} {thing}" for colour in ("red", "blue") for thing in
                      ("cup", "scarf", "lamp")],
            "description": ["A plain thing for every day, made to last and easy to clean."] * 6,
            "category": ["kitchen", "clothes", "light"] * 2,
            "image_path": [*paths[:5], ""],
        }
    )  # fmt: skip
    try:
        image = encoders.ImageEncoder().encode(paths)
        text = encoders.TextEncoder().encode(
            [f"{t}. {d}" for t, d in zip(items.title, items.description, strict=True)]
        )
    except MissingExtraError as error:
        pytest.skip(str(error))  # fmt: skip
    users = np.repeat(np.arange(8), 3)
    wanted = np.concatenate([np.arange(3) + user for user in range(8)]) % 6
    train = Interactions(users, wanted)
    held = Interactions(np.arange(8), (np.arange(8) + 3) % 6)
    dataset = Dataset(
        "pictured", 8, 6, train, held, held,
        {"image": image.astype(np.float16), "text": text.astype(np.float16)}, items,
    )  # fmt: skip
    config = TrainConfig(model=VBPRConfig(width=4), device="cpu")
    draws = torch.Generator().manual_seed(0)
    from engine.models import build_model

    model = build_model(config.model, dataset, 0)
    weights = {n: torch.randn(p.shape, generator=draws) for n, p in model.named_parameters()}
    weights["users"] = weights["users"].abs()  # users agree, so that an item can climb with all
    weights["items"] *= 0.1
    return Trained.from_weights(config, weights, dataset, label="pictured", device="cpu")


def strength_of(config):
    return STRONG.get(config.name, 8)


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_change_only_image_rows_of_pictured_items(encoded, kind):
    config = kind(items=(1, 3, 5))
    assert all(torch.equal(perturb(encoded, config, 0)[m], x) for m, x in encoded.features.items())
    after = perturb(encoded, config, strength_of(config))
    assert torch.equal(after["text"], encoded.features["text"])
    moved = torch.nonzero((after["image"] != encoded.features["image"]).any(dim=1)).flatten()
    assert moved.tolist() == [1, 3]  # item 5 has no picture
    assert torch.equal(after["image"][1], perturb(encoded, config, strength_of(config))["image"][1])


@pytest.mark.parametrize("scaling", ["none", "global_max", "unit_rows"])
def test_an_edit_moves_rows_as_encoding_the_edited_picture_does(encoded, scaling, tmp_path):
    from engine.data.encoders import ImageEncoder
    from engine.data.features import FeatureConfig

    config = encoded.config.model_copy(update={"features": FeatureConfig(scaling=scaling)})
    scaled = Trained.from_weights(config, encoded.model.theta(), encoded.dataset, device="cpu")
    change = picture_change(scaled, JPEGConfig(), 80, item=2)
    Image.fromarray(change.after).save(tmp_path / "after.png")
    row = torch.from_numpy(ImageEncoder().encode([tmp_path / "after.png"]))[0]
    if scaling == "global_max":
        row = row / np.abs(encoded.dataset.features["image"].astype(np.float32)).max()
    found = perturb(scaled, JPEGConfig(), 80)["image"][2]
    assert float(torch.linalg.vector_norm(found - row) / torch.linalg.vector_norm(row)) < 2e-3


@pytest.mark.parametrize("goal", [{"items": (0, 3)}, {"goal": "promote", "target_item": 2}])
def test_pixel_attacks_stay_in_their_ball_and_raise_their_goal(encoded, goal):
    model = ModelUnderTest(encoded)

    def value(config, strength):
        attacked = PixelFGSMConfig(**goal).attacked_goal(model)
        rows = perturb(encoded, config, strength)["image"][attacked.items]
        return attacked.by_features({"image": rows})[0]

    # One long step overshoots in a network as bent as the encoder: FGSM gets a small ball.
    fgsm, pgd = PixelFGSMConfig(**goal), PixelPGDConfig(**goal, steps=3)
    control = fgsm.control(encoded.dataset)
    assert value(fgsm, 0.1) > value(fgsm, 0)
    assert value(fgsm, 0.1) > value(control, 0.1)
    assert value(pgd, 0.1) >= value(fgsm, 0.1) - 1e-9
    assert value(pgd, 4) > value(control, 4)
    restarted = PixelPGDConfig(**goal, steps=3, restarts=2)
    assert value(restarted, 4) >= value(pgd, 4) - 1e-9
    pictures = Pictures(model, restarted)
    clean = pictures.pixels()
    for part, after in restarted.whole_edit(model, pictures, 4, 0, 0):
        assert (after - clean[part]).abs().max() <= 4 / 255 + 1e-6
        assert after.min() >= 0
        assert after.max() <= 1


def test_a_pixel_attack_promotes_its_item(encoded):
    probe = RobustnessProbe(encoded, cutoffs=(1, 2))
    ranks = [
        probe.at(PixelPGDConfig(goal="promote", target_item=i, cutoff=1), 0).target["clean"]
        for i in range(5)
    ]
    last = max(range(5), key=lambda i: ranks[i]["target_rank"])
    answer = probe.at(PixelPGDConfig(goal="promote", target_item=last, cutoff=1), 4)
    assert answer.target["perturbed"]["target_rank"] < answer.target["clean"]["target_rank"]
    assert answer.n_items_changed == 1
    assert "1/255" in answer.unit


def test_a_picture_is_shown_before_and_after(encoded):
    change = picture_change(encoded, PixelFGSMConfig(goal="promote", target_item=1), 8, item=1)
    assert change.before.shape == change.after.shape == (224, 224, 3)
    assert change.largest == pytest.approx(8, abs=1e-3)
    assert np.abs(change.after.astype(int) - change.before).max() <= 9
    assert change.features_moved > 0.01
    assert "8/255" in change.caption
    still = picture_change(encoded, BlurConfig(), 0, item=1)
    assert (still.before == still.after).all()
    assert still.features_moved == 0


def pictured(tmp_path):
    items = pd.DataFrame(
        {"title": ["cup", "scarf"], "description": ["", ""], "category": ["a", "b"],
         "image_path": [drawn_pictures(tmp_path)[0], ""]}
    )  # fmt: skip
    nothing = Interactions(np.zeros(1, np.int64), np.zeros(1, np.int64))
    return Dataset("two", 1, 2, nothing, nothing, nothing, {}, items)


@pytest.mark.parametrize("kind", [k for k in PICTURES if issubclass(k, PictureEditConfig)])
def test_an_edit_is_seen_without_encoder_and_model(kind, tmp_path):
    dataset, config = pictured(tmp_path), kind()
    change = picture_edit(dataset, config, strength_of(config), 0)
    assert change.before.shape == change.after.shape == (224, 224, 3)
    off = change.after.astype(int) - change.before
    assert 0 < np.abs(off).max() == pytest.approx(change.largest, abs=1)
    assert change.features_moved is None
    assert "depends on the encoder" in change.caption
    nothing = picture_edit(dataset, config, 0.0, 0)
    np.testing.assert_array_equal(nothing.after, nothing.before)
    assert nothing.largest == 0
    with pytest.raises(ConfigError, match="item 1 of dataset 'two' has no picture"):
        picture_edit(dataset, config, 1.0, 1)


@pytest.mark.parametrize("kind", TEXTS)
def test_an_edited_text_is_seen_without_encoder(kind, tmp_path):
    dataset, config = pictured(tmp_path), kind()
    text = "a plain cup for every day and every guest"
    edited = config.edited_text(dataset, text, 0, min(0.5, config.strength_limit or 2))
    assert edited != text
    assert edited == config.edited_text(dataset, text, 0, min(0.5, config.strength_limit or 2))


def test_random_edits_of_one_picture_do_not_depend_on_the_others(encoded):
    for config in (OcclusionConfig(), PixelNoiseConfig()):
        alone = config.model_copy(update={"items": (3,)})
        strength = strength_of(config)
        torch.testing.assert_close(
            perturb(encoded, config, strength)["image"][3],
            perturb(encoded, alone, strength)["image"][3],
            rtol=1e-3, atol=1e-4,
        )  # fmt: skip
        other = perturb(encoded, alone, strength, draw=1)["image"][3]
        assert not torch.equal(other, perturb(encoded, alone, strength)["image"][3])


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_change_only_text_rows(encoded, kind):
    config = kind(items=(0, 4))
    assert all(torch.equal(perturb(encoded, config, 0)[m], x) for m, x in encoded.features.items())
    after = perturb(encoded, config, 0.8)
    assert torch.equal(after["image"], encoded.features["image"])
    moved = torch.nonzero((after["text"] != encoded.features["text"]).any(dim=1)).flatten()
    assert moved.tolist() == [0, 4]
    assert torch.equal(after["text"], perturb(encoded, config, 0.8)["text"])


def test_words_are_dropped_moved_and_injected_as_asked(encoded):
    dataset, model = encoded.dataset, ModelUnderTest(encoded)
    texts = Texts(model, WordDropConfig(items=(0,)))
    words = texts.texts[0].split()
    left = {
        kind.__name__: kind(items=(0,)).edited_texts(dataset, texts, 0.5, 0, 0)[0].split()
        for kind in EDITS
    }
    half = round(0.5 * len(words))
    assert len(left["WordDropConfig"]) == len(words) - half
    assert sorted(left["WordSwapConfig"]) == sorted(words)
    assert left["WordSwapConfig"] != words
    assert len(left["WordInjectionConfig"]) == len(words) + half
    scarf = WordInjectionConfig(items=(0,), category="clothes")
    assert "scarf" in scarf.edited_texts(dataset, texts, 1.0, 0, 0)[0]
    with pytest.raises(ConfigError, match="'toys' has no words"):
        WordInjectionConfig(category="toys").edited_texts(dataset, texts, 1.0, 0, 0)


def test_features_of_another_encoder_are_refused(encoded):
    draws = np.random.default_rng(1)
    strange = {
        "image": draws.normal(size=(6, 1280)).astype(np.float32),
        "text": draws.normal(size=(6, 384)).astype(np.float32),
    }
    other = replace(encoded, dataset=replace(encoded.dataset, features=strange))
    with pytest.raises(ConfigError, match="were not made by Basin's encoder"):
        perturb(other, BlurConfig(), 2)
    with pytest.raises(ConfigError, match="not those of Basin's encoder"):
        perturb(other, WordDropConfig(), 0.5)


def test_without_pictures_it_says_so(encoded):
    with pytest.raises(ConfigError, match="has a picture"):
        perturb(encoded, BlurConfig(items=(5,)), 2)


def test_without_the_extra_the_error_names_it(linear, monkeypatch):
    import engine.data.encoders as encoders
    from engine.data.perturbations.reencoding import image_encoder

    def absent(module):
        raise MissingExtraError(f"needs '{module}'; pip install -e .[encoders]")

    monkeypatch.setattr(encoders, "_require", absent)
    image_encoder.cache_clear()
    with pytest.raises(MissingExtraError, match="encoders"):
        perturb(linear, BlurConfig(), 2)


@pytest.mark.parametrize("kind", [*PICTURES, *TEXTS])
def test_every_edit_says_its_unit_and_describes_itself(kind):
    config = kind()
    assert config.strength_unit
    assert config.title
    assert config.strengths[0] == 0
    assert kind.parse(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("kind", [JPEGConfig, WordDropConfig])
def test_training_sees_edited_originals_as_curves_do(encoded, kind):
    strength = 0.5 if kind is WordDropConfig else 90
    config = NoiseConfig(kind=kind(), strength=strength, redrawn="never")
    noise = TrainingNoise(config, encoded.dataset, encoded.features, "none", seed=2)
    seen, drawn = noise.features(1), perturb(encoded, kind(), strength, seed=2)
    assert all(torch.equal(seen[m], drawn[m]) for m in drawn)
    assert any(not torch.equal(seen[m], x) for m, x in encoded.features.items())
