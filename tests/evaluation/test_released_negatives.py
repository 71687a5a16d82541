"""AMR's released protocol against the definition written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.data import synthetic
from engine.evaluation import evaluate_released, evaluate_sampled


@pytest.fixture
def negatives(tiny):
    """Fixed negatives of each user, some of them of equal score to others."""
    return np.random.default_rng(0).integers(0, tiny.n_items, (tiny.n_users, 12))


def test_ranks_count_the_negatives_that_score_at_least_the_positive(tiny, negatives):
    generator = torch.Generator().manual_seed(0)
    users = torch.randint(-2, 3, (tiny.n_users, 3), generator=generator).float()
    items = torch.randint(-2, 3, (tiny.n_items, 3), generator=generator).float()
    metrics = evaluate_released(users, items, tiny, negatives, (1, 5))
    for row, (user, item) in enumerate(zip(tiny.test.users, tiny.test.items, strict=True)):
        score = {i: float(users[user] @ items[i]) for i in [*negatives[user], item]}
        rank = sum(score[i] >= score[item] for i in negatives[user])
        assert metrics.values["hr@5"][row] == (rank < 5)
        expected = 1 / np.log2(rank + 2) if rank < 5 else 0.0
        assert metrics.values["ndcg@5"][row] == pytest.approx(expected)
    assert (metrics.users == tiny.test.users).all()


def test_all_other_items_as_negatives_agree_with_drawing_all_of_them():
    """Where every unseen item is a negative, drawn and fixed ones are the same."""
    tiny = synthetic(30, 40, 300, image_width=2, text_width=2)
    generator = torch.Generator().manual_seed(1)
    users = torch.randn(tiny.n_users, 4, generator=generator)
    items = torch.randn(tiny.n_items, 4, generator=generator)
    seen = sum(tiny.matrix(s) for s in ("train", "valid", "test")).toarray() > 0
    drawn = evaluate_sampled(users, items, tiny, "test", (5,), tiny.n_items)
    for user in np.unique(tiny.test.users)[:10]:
        fixed = np.flatnonzero(~seen[user])
        negatives = np.tile(fixed, (tiny.n_users, 1))
        ours = evaluate_released(users, items, tiny, negatives, (5,))
        mine = tiny.test.users == user
        np.testing.assert_allclose(ours.values["ndcg@5"][mine], drawn.values["ndcg@5"][mine])
