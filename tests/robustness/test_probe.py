"""The slider: one answer at a time, with a user's list before and after."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation import top_items
from engine.foundation.errors import ConfigError
from engine.robustness import FGSMConfig, GaussianConfig, RobustnessProbe, SwapConfig, perturb


def test_strength_zero_moves_nothing(trained):
    probe = RobustnessProbe(trained)
    answer = probe.at(FGSMConfig(), 0.0)
    assert answer.n_items_changed == 0
    for name, values in answer.clean.items():
        np.testing.assert_array_equal(values, answer.perturbed[name])
    lists = probe.lists(answer, user=int(answer.users[0]))
    assert (lists["shift"] == 0).all()


def test_lists_are_those_of_evaluation(trained):
    probe = RobustnessProbe(trained)
    answer = probe.at(GaussianConfig(), 0.8)
    user = int(answer.users[3])
    lists = probe.lists(answer, user, k=7)
    before = lists[lists.in_before].sort_values("rank_before")
    after = lists[lists.in_after].sort_values("rank_after")
    users, items = trained.factors()
    assert (
        before["item"].tolist()
        == top_items(users, items, trained.dataset, np.array([user]), 7)[0].tolist()
    )
    changed_users = answer.change.user_factors
    assert after["item"].tolist() == top_items(
        users if changed_users is None else changed_users,
        probe.ranking.items_after(answer.change),
        trained.dataset, np.array([user]), 7,
    )[0].tolist()  # fmt: skip
    assert (lists["shift"] == lists["rank_before"] - lists["rank_after"]).all()


def test_who_lost_most_comes_first(linear):
    answer = RobustnessProbe(linear).at(SwapConfig(), 1.0)
    losers = answer.losers("ndcg@10", 5)
    change = answer.perturbed["ndcg@10"] - answer.clean["ndcg@10"]
    assert losers["change"].tolist() == sorted(change)[:5]


def test_attacks_are_answered_beside_their_control(linear):
    answer = RobustnessProbe(linear).at(FGSMConfig(), 0.5)
    table = answer.means().set_index("metric")
    assert table.loc["recall@10", "perturbed"] < table.loc["recall@10", "control"]
    assert "L2 length" in answer.unit
    assert "random direction of the same norm" in answer.caption


def test_moving_the_slider_reuses_the_draw(linear):
    probe = RobustnessProbe(linear)
    first = probe.at(GaussianConfig(), 0.4).perturbed["recall@10"]
    probe.at(GaussianConfig(), 0.9)
    np.testing.assert_array_equal(first, probe.at(GaussianConfig(), 0.4).perturbed["recall@10"])
    assert len(probe._paths) == 1


def test_a_model_without_features_explains_itself(featureless):
    answer = RobustnessProbe(featureless).at(FGSMConfig(), 0.5)
    assert "reads no features" in answer.note
    assert answer.perturbed["recall@10"] == pytest.approx(answer.clean["recall@10"])


def test_ranks_of_a_target_are_those_of_counting(linear):
    probe = RobustnessProbe(linear)
    config = FGSMConfig(goal="promote", target_item=3)
    answer = probe.at(config, 0.5)
    found = probe.target_ranks(answer)
    train = linear.dataset.matrix("train").toarray()
    for after, features in (
        ("rank_before", linear.features),
        ("rank_after", perturb(linear, config, 0.5)),
    ):
        users, items = linear.model(features)
        scores = (users @ items.T).detach().numpy().astype(np.float64)
        scores[train > 0] = -np.inf
        for row in found.itertuples():
            assert train[row.user, 3] == 0
            others = np.delete(scores[row.user], 3)
            assert getattr(row, after) == 1 + (others >= scores[row.user, 3]).sum()
    assert (found["climb"] == found["rank_before"] - found["rank_after"]).all()
    assert found["climb"].mean() > 0
    assert found["rank_after"].mean() == pytest.approx(answer.target["perturbed"]["target_rank"])


def test_an_attack_without_a_target_has_no_target_ranks(linear):
    probe = RobustnessProbe(linear)
    with pytest.raises(ConfigError, match="no target"):
        probe.target_ranks(probe.at(FGSMConfig(), 0.1))
