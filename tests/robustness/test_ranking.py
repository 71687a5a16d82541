"""Incremental ranking against evaluating everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import engine.robustness.perturbed_model.perturbed_ranking as ranking_module
from engine.evaluation import EvaluationConfig, evaluate
from engine.foundation.errors import DataError
from engine.robustness import FEATURE_PERTURBATIONS, FGSMConfig, perturb
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import FactorChange, factor_path
from engine.robustness.perturbed_model.perturbed_ranking import Ranking

CUTOFFS = (1, 3, 10)


def full(users, items, dataset):
    return evaluate(users, items, dataset, "test", EvaluationConfig(cutoffs=CUTOFFS)).values


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


@pytest.mark.parametrize("kind", list(FEATURE_PERTURBATIONS.values()))
def test_incremental_equals_full(trained, kind, shop):
    ranking = Ranking(ModelUnderTest(trained), "test", CUTOFFS)
    for config in (kind(), kind(items=(2, 30))):
        path = factor_path(ranking.model, config, 5, 1)
        for strength in (0.0, 0.05, 0.4, 1.0):
            found = ranking.metrics(ranking.ranks(path(strength)))
            features = perturb(trained, config, strength, seed=5, draw=1)
            same(found, full(*trained.model(features), shop))


@pytest.mark.parametrize("kept", [1, 400])
def test_blocks_give_what_the_whole_gives(linear, shop, monkeypatch, kept):
    monkeypatch.setattr(ranking_module, "KEPT_SCORES", kept)
    ranking = Ranking(ModelUnderTest(linear), "test", CUTOFFS)
    assert not ranking.fits
    change = factor_path(ranking.model, FGSMConfig(), 0, 0)(0.3)
    same(
        ranking.metrics(ranking.ranks(change)),
        full(linear.factors()[0], ranking.items_after(change), shop),
    )


@pytest.mark.parametrize("n_changed", [0, 1, 3, 40])
def test_equal_scores_rank_by_id_as_evaluate_has_it(linear, shop, n_changed):
    ranking = Ranking(ModelUnderTest(linear), "test", CUTOFFS)
    users, items = ranking.model.clean_factors
    rounded = torch.round(items)  # whole numbers: scores collide
    ranking.model.__dict__["clean_factors"] = (torch.round(users * 2), rounded)
    change = FactorChange(torch.arange(n_changed), rounded.roll(1, dims=0)[:n_changed])
    same(
        ranking.metrics(ranking.ranks(change)),
        full(torch.round(users * 2), ranking.items_after(change), shop),
    )


def test_a_dataset_without_the_split_says_so(linear, shop):
    empty = replace(shop.test, users=shop.test.users[:0], items=shop.test.items[:0])
    bare = replace(linear, dataset=replace(shop, test=empty))
    with pytest.raises(DataError, match="no test interactions"):
        Ranking(ModelUnderTest(bare), "test", CUTOFFS)
