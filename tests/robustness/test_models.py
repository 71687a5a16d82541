"""Every model that ships: attacks order as they must, and looking changes nothing."""

from __future__ import annotations

import pytest
import torch

from engine.evaluation import EvaluationConfig, evaluate
from engine.models import MODELS
from engine.robustness import (
    CurveConfig,
    FGSMConfig,
    PGDConfig,
    RandomDirectionConfig,
    RobustnessProbe,
    perturb,
    robustness_curves,
)
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.training import TrainConfig, fit

CONFIGS = [config() for config in MODELS]
CURVES = CurveConfig(
    kinds=("gaussian", "missing", "swap", "fgsm", "pgd:steps=3:norm=linf"),
    strengths=(0.0, 0.4), n_draws=1, cutoffs=(5,),
)  # fmt: skip


@pytest.fixture(scope="module", params=CONFIGS, ids=[config.name for config in CONFIGS])
def each(request, shop):
    """A model of each kind after a few epochs, in float64."""
    model = request.param.model_dump(mode="json") | {"width": 6}
    settings = {"model": model, "epochs": 6, "batch_size": 128, "device": "cpu"}
    settings |= {"precision": "float64", "optimiser.learning_rate": 0.01}
    return fit(shop, TrainConfig().changed(settings)).trained(shop, label=request.param.name)


def scores_read_features(trained):
    zeros = {m: torch.zeros_like(x) for m, x in trained.features.items()}
    return bool(zeros) and not torch.equal(trained.model(zeros)[1], trained.factors()[1])


def loss(trained, config, strength, draw=0):
    features = perturb(trained, config, strength, draw=draw)
    triples = ModelUnderTest(trained).triples
    users, items = trained.model(features)
    apart = items[triples.positives] - items[triples.negatives]
    return float(torch.nn.functional.softplus(-(users[triples.users] * apart).sum(1)).sum())


def test_curves_are_full_evaluations_and_leave_the_model_as_it_was(each, shop):
    weights = each.model.theta()
    features = {m: x.clone() for m, x in each.features.items()}
    curves = robustness_curves([each], CURVES)
    place = curves.metrics.index("ndcg@5")
    for index, series in enumerate(curves.series):
        kind = CurveConfig(kinds=(series["settings"],)).kinds[0]
        for at, strength in enumerate((0.0, 0.4)):
            users, items = each.model(perturb(each, kind, strength) or each.features)
            full = evaluate(users, items, shop, "test", EvaluationConfig(cutoffs=(5,))).means()
            assert curves.values[index, at, 0, place] == pytest.approx(full["ndcg@5"], abs=1e-12)
            if strength == 0:
                assert torch.equal(items, each.factors()[1])
    assert all(torch.equal(features[m], x) for m, x in each.features.items())
    assert all(torch.equal(weights[n], w) for n, w in each.model.theta().items())


def test_pgd_is_no_weaker_than_fgsm_and_that_than_chance(each):
    if not scores_read_features(each):
        assert loss(each, FGSMConfig(), 0.5) == loss(each, FGSMConfig(), 0.0)
        return
    clean = loss(each, FGSMConfig(), 0.0)
    random = [loss(each, RandomDirectionConfig(), 0.3, draw) for draw in range(3)]
    fgsm, pgd = loss(each, FGSMConfig(), 0.3), loss(each, PGDConfig(), 0.3)
    assert pgd >= fgsm * (1 - 1e-12)
    assert pgd > max(clean, *random)
    if each.model.config.name != "freedom":  # its gradient is a straight-through estimate
        assert fgsm > max(clean, *random)


def test_promotion_moves_the_target_up(each):
    if not scores_read_features(each):
        pytest.skip(f"scores of {each.label} read no features, so nothing can be promoted by them")
    probe = RobustnessProbe(each, cutoffs=(5,))
    target = int(each.dataset.popularity.argsort()[10])
    answer = probe.at(PGDConfig(goal="promote", target_item=target, cutoff=5), 0.8)
    assert answer.target["perturbed"]["target_rank"] <= answer.target["clean"]["target_rank"]
