"""Every kind of perturbation of features: exact where it must be, and only what it says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.data.perturbations.noise.donors import donors_of
from engine.foundation.errors import ConfigError
from engine.robustness import (
    FEATURE_PERTURBATIONS,
    FGSMConfig,
    GaussianConfig,
    MissingConfig,
    MixingConfig,
    PGDConfig,
    PrecisionConfig,
    QuantiseConfig,
    RandomDirectionConfig,
    SwapConfig,
    UniformConfig,
    perturb,
)

KINDS = list(FEATURE_PERTURBATIONS.values())
LENGTHS = [RandomDirectionConfig, FGSMConfig, PGDConfig]


def moved(trained, config, strength, **draw):
    after = perturb(trained, config, strength, **draw)
    return {m: after[m] - x for m, x in trained.features.items()}


def norms(x):
    return torch.linalg.vector_norm(x, dim=1)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_is_clean_bit_for_bit_and_a_copy(trained, kind):
    after = perturb(trained, kind(), 0.0)
    for m, x in trained.features.items():
        assert torch.equal(after[m], x)
        assert after[m].data_ptr() != x.data_ptr()


@pytest.mark.parametrize("kind", KINDS)
def test_features_and_weights_stay_bit_identical(trained, kind):
    before = {m: x.clone() for m, x in trained.features.items()}
    weights = trained.model.theta()
    perturb(trained, kind(), 0.4)
    assert all(torch.equal(before[m], x) for m, x in trained.features.items())
    assert all(torch.equal(weights[n], p) for n, p in trained.model.named_parameters())
    assert all(p.grad is None for p in trained.model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modality", ["image", "text"])
def test_only_the_chosen_modality_and_items_change(trained, kind, modality):
    chosen = (3, 7, 11, 20, 31)
    after = moved(trained, kind(modalities=(modality,), items=chosen), 0.9)
    other = "text" if modality == "image" else "image"
    assert not after[other].any()
    hit = set(torch.nonzero(norms(after[modality])).flatten().tolist())
    assert hit
    assert hit <= set(chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_seeded(linear, kind):
    config = kind(restarts=3) if kind is PGDConfig else kind()
    first = moved(linear, config, 0.5, seed=1, draw=2)
    again = moved(linear, config, 0.5, seed=1, draw=2)
    assert all(torch.equal(first[m], again[m]) for m in first)
    if config.is_drawn and kind is not PGDConfig:
        for other in (moved(linear, config, 0.5, seed=1, draw=3), moved(linear, config, 0.5)):
            assert not torch.equal(first["image"], other["image"])


@pytest.mark.parametrize(
    "kind", [GaussianConfig, UniformConfig, RandomDirectionConfig, MixingConfig]
)
def test_an_item_is_hit_alike_alone_and_among_all(linear, kind):
    whole, alone = moved(linear, kind(), 0.5), moved(linear, kind(items=(9,)), 0.5)
    assert torch.equal(whole["image"][9], alone["image"][9])


@pytest.mark.parametrize("kind", LENGTHS)
def test_l2_lengths_are_exact_in_every_unit(trained, kind):
    for unit in ("row_norm", "global_max", "absolute"):
        after = moved(trained, kind(unit=unit), 0.3)
        for m, x in trained.features.items():
            scale = {"row_norm": norms(x), "global_max": x.abs().max(), "absolute": 1.0}[unit]
            lengths = norms(after[m]) / (0.3 * scale)
            assert lengths.max() <= 1 + 1e-6
            if kind is not PGDConfig:  # PGD may end inside its ball
                np.testing.assert_allclose(lengths, 1.0, rtol=1e-6)


@pytest.mark.parametrize("kind", LENGTHS)
def test_linf_balls_are_exact_and_count_in_root_mean_squares(trained, kind):
    after = moved(trained, kind(norm="linf"), 0.3)
    for m, x in trained.features.items():
        rms = norms(x) / x.shape[1] ** 0.5
        largest = after[m].abs().amax(dim=1) / (0.3 * rms)
        assert largest.max() <= 1 + 1e-6
        if kind is not PGDConfig:
            np.testing.assert_allclose(norms(after[m]), 0.3 * norms(x), rtol=1e-6)


@pytest.mark.parametrize("kind", [GaussianConfig, UniformConfig, QuantiseConfig])
def test_noise_has_the_stated_root_mean_square_length(linear, kind):
    squares = [
        (norms(moved(linear, kind(), 0.2, draw=draw)["image"]) / norms(linear.features["image"]))
        .square().mean() for draw in range(8)
    ]  # fmt: skip
    assert np.mean(squares) ** 0.5 == pytest.approx(0.2, rel=0.05)


def test_uniform_noise_is_bounded(linear):
    after = moved(linear, UniformConfig(unit="absolute"), 1.0)["image"]
    assert after.abs().max() <= (3 / after.shape[1]) ** 0.5
    assert after.abs().max() > 0.9 * (3 / after.shape[1]) ** 0.5


def test_mixing_goes_all_the_way_to_the_donor(linear):
    x = linear.features["image"]
    full = perturb(linear, MixingConfig(), 1.0)
    donors = torch.cdist(full["image"], x).argmin(dim=1)
    assert (donors != torch.arange(len(x))).all()
    half = perturb(linear, MixingConfig(), 0.5)["image"]
    torch.testing.assert_close(half, 0.5 * x + 0.5 * x[donors])
    torch.testing.assert_close(full["text"], linear.features["text"][donors])


@pytest.mark.parametrize("kind", [MissingConfig, SwapConfig, PrecisionConfig])
def test_shares_hit_exactly_their_items_and_nest(linear, kind):
    sets = []
    for share in (0.1, 0.25, 0.5, 1.0):
        hit = norms(moved(linear, kind(), share)["image"]) > 0
        sets.append(set(torch.nonzero(hit).flatten().tolist()))
        assert len(sets[-1]) == round(share * 40)
    assert all(small <= large for small, large in pairwise(sets))


def test_missing_is_zero_or_mean(linear):
    assert not perturb(linear, MissingConfig(), 1.0)["text"].any()
    mean = perturb(linear, MissingConfig(fill="mean"), 1.0)["text"]
    torch.testing.assert_close(mean[5], linear.features["text"].mean(dim=0))


@pytest.mark.parametrize("within", ["any", "same", "other"])
def test_donors_keep_to_their_categories(shop, within):
    categories = shop.items["category"].to_numpy(dtype=str)
    for draw in range(5):
        donors = donors_of(40, categories, within, 0, draw)
        assert (donors != np.arange(40)).all()
        if within != "any":
            assert ((categories[donors] == categories) == (within == "same")).all()
        if within != "other":
            assert len(set(donors)) == 40


def test_a_category_of_most_items_still_finds_donors_outside():
    categories = np.array(["big"] * 30 + ["small"] * 5)
    donors = donors_of(35, categories, "other", 0, 0)
    assert (categories[donors] != categories).all()
    alone = donors_of(5, np.array(["one"] * 5), "other", 0, 0)
    assert alone.tolist() == [0, 1, 2, 3, 4]


def test_stored_formats_round_as_the_formats_do(linear):
    x = linear.features["image"]
    assert torch.equal(
        perturb(linear, PrecisionConfig(), 1.0)["image"], x.to(torch.bfloat16).to(x.dtype)
    )
    eighth = perturb(linear, PrecisionConfig(stored="int8"), 1.0)["image"]
    assert ((eighth - x).abs() <= x.abs().amax(dim=1, keepdim=True) / 254 + 1e-12).all()
    assert all(len(row.unique()) <= 255 for row in eighth)


def test_quantised_values_lie_on_their_grid(linear):
    config = QuantiseConfig(unit="absolute")
    after = perturb(linear, config, 0.5)["image"]
    step = 0.5 * (12 / after.shape[1]) ** 0.5
    np.testing.assert_allclose(after / step, torch.round(after / step), atol=1e-9)


@pytest.mark.parametrize("strength", [-0.1, float("nan")])
def test_impossible_strengths_are_refused(linear, strength):
    with pytest.raises(ConfigError, match="must be 0 or more"):
        perturb(linear, GaussianConfig(), strength)


def test_a_share_above_one_is_refused(linear):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        perturb(linear, SwapConfig(), 1.5)


def test_an_unknown_item_is_named(linear):
    with pytest.raises(ConfigError, match="item 99 is not in dataset"):
        perturb(linear, GaussianConfig(items=(3, 99)), 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_its_unit_and_describes_itself(kind):
    config = kind()
    assert config.strength_unit
    assert config.title
    assert config.strengths[0] == 0
    assert kind.parse(config.model_dump(mode="json")) == config
    assert all(field.description for name, field in kind.model_fields.items() if name != "name")


def test_models_without_features_have_nothing_to_perturb(featureless):
    assert perturb(featureless, GaussianConfig(), 0.5) == {}
