"""Screened ranking and sampled ranking against twins that sort everything and loop over users."""

import itertools

import numpy as np
import pytest
import torch

from engine.data import Dataset, Interactions, synthetic
from engine.evaluation import (
    EvaluationConfig,
    evaluate,
    evaluate_sampled,
    hits_among_top,
    is_relevant,
    metrics_of_hits,
    screening,
    top_items,
)
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import numpy_generator

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def slow_top_items(users_UD, items_ID, dataset, users, k):
    """Sort every row: higher score first, then lower id; train items and NaN are not ranked."""
    scores = (users_UD[torch.from_numpy(users)] @ items_ID.T).numpy().copy()
    scores[dataset.matrix("train")[users].toarray() > 0] = -np.inf
    scores[np.isnan(scores)] = -np.inf
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    ranked[np.take_along_axis(scores, ranked, axis=1) == -np.inf] = -1
    return ranked


def slow_evaluate(users_UD, items_ID, dataset, split, cutoffs):
    relevant = dataset.matrix(split).toarray() > 0
    users = np.flatnonzero(relevant.any(axis=1))
    ranked = slow_top_items(users_UD, items_ID, dataset, users, max(cutoffs))
    hits = np.take_along_axis(relevant[users], np.maximum(ranked, 0), axis=1) & (ranked >= 0)
    return users, metrics_of_hits(hits, relevant[users].sum(axis=1), cutoffs)


def random_factors(dataset, generator):
    users = torch.randn(dataset.n_users, 8, generator=generator)
    return users, torch.randn(dataset.n_items, 8, generator=generator)


def integer_factors(dataset, generator):
    users = torch.randint(-1, 2, (dataset.n_users, 3), generator=generator).float()
    return users, torch.randint(-1, 2, (dataset.n_items, 3), generator=generator).float()


def zero_factors(dataset, _):
    return torch.zeros(dataset.n_users, 4), torch.zeros(dataset.n_items, 4)


def repeated_items(dataset, generator):
    """Many items share one row; in eighths, so that their scores tie in any order of summation."""
    users, items = (f.mul(8).round() / 8 for f in random_factors(dataset, generator))
    return users, items[torch.arange(dataset.n_items) * 7 % 40 % dataset.n_items]


def popular_items(dataset, generator):
    users, items = random_factors(dataset, generator)
    popularity = torch.from_numpy(np.bincount(dataset.train.items, minlength=dataset.n_items))
    items[:, 0] = popularity.float()
    users[:, 0] = 1.0
    return users, items


def fitted(dataset, _):
    train = torch.from_numpy(dataset.matrix("train").toarray())
    held_out = torch.from_numpy(dataset.matrix("test").toarray())
    left, values, right = torch.linalg.svd(train + 0.3 * held_out, full_matrices=False)
    return left[:, :24] * values[:24], right[:24].T


def some_not_numbers(dataset, generator):
    users, items = random_factors(dataset, generator)
    items[::7] = torch.nan
    users[3] = torch.nan
    users[4] = torch.inf
    return users, items


def nearly_all_seen():
    """Six users, 30 items; user u has all but u + 1 items in train and one of these in test."""
    pairs = [(u, i) for u in range(6) for i in range(30) if (i * 7 + u) % 30 > u]
    left = [(u, next(i for i in range(30) if (i * 7 + u) % 30 == u)) for u in range(6)]
    train, test = (Interactions(*np.array(list(p)).T.copy()) for p in (pairs, left))
    return Dataset("nearly", 6, 30, train, test, test)


DATASETS = {
    "large enough to screen": lambda: synthetic(300, 1400, 5000, 2, 2, seed=1),
    "chunks to spare": lambda: synthetic(90, 500, 2500, 2, 2, seed=2),
    "fewer items than k": lambda: synthetic(30, 15, 160, 2, 2, seed=3),
    "nearly all seen": nearly_all_seen,
}
FACTORS = [
    random_factors,
    integer_factors,
    zero_factors,
    repeated_items,
    popular_items,
    fitted,
    some_not_numbers,
]


@pytest.fixture(scope="module", params=DATASETS, ids=lambda name: name.replace(" ", "-"))
def dataset(request):
    return DATASETS[request.param]()


@pytest.mark.parametrize("make", FACTORS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_metrics_and_lists_equal_those_of_sorting_every_row(dataset, make, dtype, device):
    factors = make(dataset, torch.Generator().manual_seed(7))
    users_UD, items_ID = (f.to(dtype) for f in factors)
    cutoffs = (1, 5, 20)
    users, expected = slow_evaluate(users_UD, items_ID, dataset, "test", cutoffs)
    there = users_UD.to(device), items_ID.to(device)
    for block in (1024, 13):
        config = EvaluationConfig(cutoffs=cutoffs, block=block)
        found = evaluate(*there, dataset, "test", config)
        np.testing.assert_array_equal(found.users, users)
        assert found.values.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found.values[name], values, err_msg=name)
        k = min(20, dataset.n_items)
        np.testing.assert_array_equal(
            top_items(*there, dataset, users, 20, config),
            slow_top_items(users_UD, items_ID, dataset, users, k),
        )


def test_hits_are_the_relevant_ones_among_the_top_for_any_choice_of_users():
    dataset = synthetic(120, 700, 4000, 2, 2, seed=4)
    users_UD, items_ID = fitted(dataset, None)
    users = np.array([7, 3, 100, 3, 55])
    ranked = top_items(users_UD, items_ID, dataset, users, 10)
    expected = is_relevant(ranked, users, dataset, "test")
    found = hits_among_top(users_UD, items_ID, dataset, users, "test", 10)
    assert expected.any()
    np.testing.assert_array_equal(found, expected)
    nobody = np.array([], dtype=np.int64)
    assert hits_among_top(users_UD, items_ID, dataset, nobody, "test", 10).shape == (0, 10)
    assert top_items(users_UD, items_ID, dataset, nobody, 10).shape == (0, 10)


def test_relevant_flags_leave_out_places_without_an_item():
    dataset = nearly_all_seen()
    ranked = np.array([[-1, dataset.test.items[0]], [dataset.test.items[1], -1]])
    flags = is_relevant(ranked, np.array([0, 1]), dataset, "test")
    assert flags.tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("make", [random_factors, fitted, repeated_items])
def test_screening_spares_users_and_loses_no_hit(make):
    dataset = synthetic(300, 1400, 5000, 2, 2, seed=1)
    users_UD, items_ID = make(dataset, torch.Generator().manual_seed(7))
    users = np.arange(dataset.n_users)
    train, test = dataset.matrix("train"), dataset.matrix("test")
    rows, items = screening.entries(test, users)
    may = screening._may_be_among_top(users_UD, items_ID, train, users, rows, items, 10, 64)
    ranked = slow_top_items(users_UD, items_ID, dataset, users, 10)
    hits = np.array([item in ranked[row] for row, item in zip(rows, items, strict=True)])
    assert may[hits].all()
    assert may.mean() < 0.9


def test_rounding_of_reduced_precision_products_is_allowed_for():
    factors = torch.zeros(1, 64)
    exact = screening._rounding(factors)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        assert screening._rounding(factors) > 1000 * exact
        assert screening._rounding(factors.double()) < exact
    finally:
        torch.set_float32_matmul_precision(before)


def slow_sampled_ranks(users_UD, items_ID, dataset, split, n_negatives, seed):
    pairs = dataset.interactions(split)
    seen = sum(dataset.matrix(s) for s in ("train", "valid", "test")).toarray() > 0
    random = numpy_generator(seed, "sampled negatives")
    ranks = np.empty(len(pairs), dtype=np.int64)
    for user in np.unique(pairs.users):
        candidates = np.flatnonzero(~seen[user])
        scores = (items_ID @ users_UD[user]).numpy()
        for row in np.flatnonzero(pairs.users == user):
            count = min(n_negatives, len(candidates))
            drawn = random.choice(candidates, count, replace=False, shuffle=False)
            ranks[row] = int((scores[drawn] >= scores[pairs.items[row]]).sum())
    return ranks


@pytest.mark.parametrize(
    ("make", "n_negatives", "seed"),
    [
        *itertools.product([random_factors, integer_factors], [20, 999], [0, 1]),
        (fitted, 99, 5),
    ],
)
def test_sampled_ranks_equal_those_drawn_user_by_user(make, n_negatives, seed, monkeypatch):
    dataset = synthetic(90, 500, 2500, 2, 2, seed=2)
    factors = make(dataset, torch.Generator().manual_seed(7))
    monkeypatch.setattr("engine.evaluation.sampled.USERS_AT_ONCE", 16)
    ranks = slow_sampled_ranks(*factors, dataset, "test", n_negatives, seed)
    cutoffs = (1, 5, 50)
    found = evaluate_sampled(*factors, dataset, "test", cutoffs, n_negatives, seed)
    for k in cutoffs:
        np.testing.assert_array_equal(found.values[f"hr@{k}"], ranks < k)


def test_scores_that_are_not_numbers_never_make_a_sampled_hit():
    dataset = synthetic(50, 200, 900, image_width=2, text_width=2, seed=1)
    nothing = torch.full((dataset.n_users, 2), torch.nan), torch.ones(dataset.n_items, 2)
    assert evaluate_sampled(*nothing, dataset, "test", n_negatives=60).means()["hr@50"] == 0.0


def test_a_user_who_has_seen_everything_has_no_negatives():
    train = Interactions(np.array([0, 0]), np.array([0, 1]))
    one = Interactions(np.array([0]), np.array([2]))
    dataset = Dataset("all seen", 1, 3, train, one, one)
    with pytest.raises(ConfigError, match="user 0 has interacted with every item"):
        evaluate_sampled(torch.ones(1, 2), torch.ones(3, 2), dataset, "test")
