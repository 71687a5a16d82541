"""Metrics against an outside library and against the definitions written out."""

import ir_measures
import numpy as np
import pytest
import torch

from engine.data import Dataset, Interactions, synthetic
from engine.evaluation import EvaluationConfig, evaluate, evaluate_sampled, top_items
from engine.foundation.errors import ConfigError


@pytest.fixture(scope="module")
def case(tiny):
    generator = torch.Generator().manual_seed(5)
    users = torch.randn(tiny.n_users, 6, generator=generator)
    items = torch.randn(tiny.n_items, 6, generator=generator)
    return tiny, users, items


@pytest.fixture(scope="module")
def roomy():
    """Every user has seen a small part of the items only."""
    return synthetic(50, 200, 900, image_width=2, text_width=2, seed=1)


def full_rankings(dataset, users, items):
    scores = (users @ items.T).numpy().copy()
    scores[dataset.train.users, dataset.train.items] = -np.inf
    return scores


def test_metrics_agree_with_ir_measures(case):
    dataset, users, items = case
    scores = full_rankings(dataset, users, items)
    run = [
        ir_measures.ScoredDoc(str(u), str(i), float(scores[u, i]))
        for u in range(dataset.n_users)
        for i in range(dataset.n_items)
        if np.isfinite(scores[u, i])
    ]
    relevant = [
        ir_measures.Qrel(str(u), str(i), 1)
        for u, i in zip(dataset.test.users, dataset.test.items, strict=True)
    ]
    pairs = {
        "recall@5": ir_measures.R @ 5,
        "recall@20": ir_measures.R @ 20,
        "ndcg@10": ir_measures.nDCG @ 10,
        "ndcg@20": ir_measures.nDCG @ 20,
        "precision@10": ir_measures.P @ 10,
        "hr@5": ir_measures.Success @ 5,
    }
    theirs = ir_measures.calc_aggregate(list(pairs.values()), relevant, run)
    ours = evaluate(users, items, dataset, "test").means()
    for name, measure in pairs.items():
        assert ours[name] == pytest.approx(theirs[measure], abs=1e-6), name


def test_map_divides_by_the_smaller_of_k_and_the_relevant_items(case):
    dataset, users, items = case
    scores = full_rankings(dataset, users, items)
    found = evaluate(users, items, dataset, "test", EvaluationConfig(cutoffs=(3, 10)))
    for row, user in enumerate(found.users):
        relevant = set(dataset.test.items[dataset.test.users == user])
        ranking = np.argsort(-scores[user])
        for k in (3, 10):
            hits, total = 0, 0.0
            for rank, item in enumerate(ranking[:k], start=1):
                if item in relevant:
                    hits += 1
                    total += hits / rank
            expected = total / min(k, len(relevant))
            assert found.values[f"map@{k}"][row] == pytest.approx(expected)


def test_train_items_are_never_ranked_and_users_without_relevant_items_not_counted(case):
    dataset, users, items = case
    chosen = np.arange(dataset.n_users)
    ranked = top_items(users, items, dataset, chosen, 20)
    train = set(zip(dataset.train.users, dataset.train.items, strict=True))
    shown = [(u, i) for u in chosen for i in ranked[u] if i >= 0]
    assert not train.intersection(shown)
    assert set(evaluate(users, items, dataset, "test").users) == set(dataset.test.users)


def test_a_user_with_few_items_left_gets_a_row_that_ends_in_minus_one():
    pairs = Interactions(np.array([0, 0, 0]), np.array([0, 1, 2]))
    one = Interactions(np.array([0]), np.array([3]))
    dataset = Dataset("short", 1, 5, pairs, one, one)
    ranked = top_items(torch.ones(1, 2), torch.rand(5, 2), dataset, np.array([0]), 5)
    assert sorted(ranked[0][:2]) == [3, 4]
    assert ranked[0][2:].tolist() == [-1, -1, -1]


def test_blocks_do_not_change_metrics(case):
    dataset, users, items = case
    whole = evaluate(users, items, dataset, "test").means()
    blocks = evaluate(users, items, dataset, "test", EvaluationConfig(block=7)).means()
    assert whole == blocks


def test_ties_count_against_the_model_in_sampled_ranking(roomy):
    flat = evaluate_sampled(
        torch.zeros(roomy.n_users, 2), torch.zeros(roomy.n_items, 2), roomy, "test", n_negatives=15
    )
    assert flat.means()["hr@5"] == 0.0


def test_sampled_ranking_counts_the_negatives_above(roomy):
    dataset = roomy
    generator = torch.Generator().manual_seed(5)
    users = torch.randn(dataset.n_users, 6, generator=generator)
    items = torch.randn(dataset.n_items, 6, generator=generator)
    found = evaluate_sampled(users, items, dataset, "test", n_negatives=10_000)
    seen = sum(dataset.matrix(s) for s in ("train", "valid", "test")).toarray() > 0
    scores = (users @ items.T).numpy()
    for row, (user, item) in enumerate(zip(dataset.test.users, dataset.test.items, strict=True)):
        above = int((scores[user][~seen[user]] >= scores[user, item]).sum())
        assert found.values["hr@5"][row] == float(above < 5)
        expected = 1 / np.log2(above + 2) if above < 20 else 0.0
        assert found.values["ndcg@20"][row] == pytest.approx(expected)


def test_sampled_ranking_repeats_with_its_seed_and_refuses_no_negatives(roomy):
    dataset = roomy
    generator = torch.Generator().manual_seed(5)
    users = torch.randn(dataset.n_users, 6, generator=generator)
    items = torch.randn(dataset.n_items, 6, generator=generator)
    one, two = (evaluate_sampled(users, items, dataset, "test", n_negatives=5) for _ in range(2))
    assert one.means() == two.means()
    with pytest.raises(ConfigError, match="n_negatives is 0"):
        evaluate_sampled(users, items, dataset, "test", n_negatives=0)
