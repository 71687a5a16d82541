from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.data import Dataset, Interactions, synthetic
from engine.data.negatives import NegativeSampler
from engine.foundation.errors import DataError
from engine.foundation.seeding import torch_generator

NOTHING = Interactions(np.array([], int), np.array([], int))


def dataset_of(rows: list[set[int]], n_items: int) -> Dataset:
    """A dataset where user u has the training items rows[u]."""
    users = np.array([u for u, items in enumerate(rows) for _ in items], int)
    items = np.array([i for items in rows for i in sorted(items, reverse=True)], int)
    return Dataset("made", len(rows), n_items, Interactions(users, items), NOTHING, NOTHING)


def items_not_in(positives: set[int], n_items: int) -> list[int]:
    """The slow, obvious twin: a user's negatives."""
    return [item for item in range(n_items) if item not in positives]


@given(
    st.lists(st.sets(st.integers(0, 8), max_size=8), min_size=1, max_size=6).filter(any),
    st.integers(0, 3),
)
def test_draws_are_exactly_the_users_negatives(rows, seed):
    sampler = NegativeSampler(dataset_of(rows, n_items=9))
    users = torch.arange(len(rows)).repeat_interleave(400)
    drawn = sampler.sample(users, torch_generator(seed, "test"))
    for user, positives in enumerate(rows):
        drawn_items = set(drawn[users == user].tolist())
        assert drawn_items == set(items_not_in(positives, 9))


@given(st.lists(st.sets(st.integers(0, 8), max_size=8), min_size=1, max_size=6).filter(any))
def test_contains_agrees_with_the_sets(rows):
    sampler = NegativeSampler(dataset_of(rows, n_items=9))
    users = torch.arange(len(rows)).repeat_interleave(9)
    items = torch.arange(9).repeat(len(rows))
    expected = [item in positives for positives in rows for item in range(9)]
    assert sampler.contains(users, items).tolist() == expected


@given(
    st.lists(st.sets(st.integers(0, 8), max_size=4), min_size=2, max_size=6).filter(any),
    st.booleans(),
)
def test_from_train_draws_only_items_that_occur_in_training(rows, pooled):
    in_training = set().union(*rows)
    if any(positives == in_training for positives in rows):
        return
    sampler = NegativeSampler(dataset_of(rows, n_items=9), "train")
    users = torch.arange(len(rows)).repeat_interleave(400)
    draws = torch_generator(0, "test")
    drawn = sampler.sample_pooled(users, 8, 3, draws) if pooled else sampler.sample(users, draws)
    for user, positives in enumerate(rows):
        assert set(drawn[users == user].tolist()) == in_training - positives
    assert not sampler.contains(users, drawn).any()


def test_a_user_who_knows_every_item_in_training_is_refused():
    rows = [{0}, {0, 2}]
    assert NegativeSampler(dataset_of(rows, n_items=3), "all")
    with pytest.raises(DataError, match=r"every one of the 2 items in training, .* user 1"):
        NegativeSampler(dataset_of(rows, n_items=3), "train")


def test_draws_are_uniform_over_the_rest():
    positives = {0, 3, 4, 5, 17, 39}
    sampler = NegativeSampler(dataset_of([{1}, positives, {2}], n_items=40))
    drawn = sampler.sample(torch.ones(60_000, dtype=torch.long), torch_generator(0, "test"))
    counts = np.bincount(drawn.numpy(), minlength=40)
    assert counts[list(positives)].sum() == 0
    assert stats.chisquare(counts[items_not_in(positives, 40)]).pvalue > 0.001


def test_a_train_positive_is_never_drawn_on_a_larger_dataset():
    dataset = synthetic(200, 100, 8000)
    sampler = NegativeSampler(dataset)
    users = torch.from_numpy(dataset.train.users.repeat(20))
    drawn = sampler.sample(users, torch_generator(0, "test"))
    is_positive = dataset.matrix("train").toarray()
    assert is_positive[users.numpy(), drawn.numpy()].sum() == 0
    assert not sampler.contains(users, drawn).any()
    assert sampler.contains(users, torch.from_numpy(dataset.train.items.repeat(20))).all()


def test_equal_seeds_draw_equally_and_other_seeds_otherwise():
    sampler = NegativeSampler(dataset_of([{0}, {1}], n_items=50))
    users = torch.tensor([0, 1] * 50)
    draws = [sampler.sample(users, torch_generator(seed, "test")) for seed in (4, 4, 5)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_valid_and_test_items_may_be_drawn():
    held_out = Interactions(np.array([0]), np.array([1]))
    train = Interactions(np.array([0]), np.array([0]))
    sampler = NegativeSampler(Dataset("made", 1, 2, train, held_out, NOTHING))
    drawn = sampler.sample(torch.zeros(5, dtype=torch.long), torch_generator(0, "test"))
    assert drawn.tolist() == [1] * 5


def test_no_users_give_no_items():
    sampler = NegativeSampler(dataset_of([{0}], n_items=3))
    nobody = torch.empty(0, dtype=torch.long)
    assert sampler.sample(nobody, torch_generator(0, "test")).shape == (0,)
    assert sampler.contains(nobody, nobody).shape == (0,)


def test_a_user_who_knows_every_item_is_refused_at_once():
    with pytest.raises(
        DataError, match=r"1 users .* every one of the 3 items, the first is user 1"
    ):
        NegativeSampler(dataset_of([{0}, {0, 1, 2}], n_items=3))


def test_pooled_negatives_are_uniform_over_a_users_negatives_and_few_a_batch():
    dataset = synthetic(40, 30, 500, image_width=2, text_width=2, seed=2)
    sampler = NegativeSampler(dataset)
    generator = torch.Generator().manual_seed(1)
    user = int(np.bincount(dataset.train.users).argmax())
    users = torch.full((60_000,), user)
    drawn = sampler.sample_pooled(users, batch_size=20, pool=4, generator=generator)
    assert not sampler.contains(users, drawn).any()
    assert max(len(part.unique()) for part in drawn.split(20)) <= 20
    n_negatives = dataset.n_items - int(dataset.matrix("train")[user].nnz)
    # Draws within a batch depend on each other; the first of each batch do not.
    firsts = np.bincount(drawn[::20].numpy(), minlength=dataset.n_items)
    assert np.count_nonzero(firsts) == n_negatives
    assert stats.chisquare(firsts[firsts > 0]).pvalue > 1e-3


def test_a_pool_bounds_the_distinct_negatives_of_a_batch():
    dataset = synthetic(400, 3000, 9000, image_width=2, text_width=2, seed=2)
    sampler = NegativeSampler(dataset)
    users = torch.tensor(dataset.train.users[:2048])
    drawn = sampler.sample_pooled(users, 1024, 64, torch.Generator().manual_seed(0))
    assert all(len(part.unique()) <= 66 for part in drawn.split(1024))
