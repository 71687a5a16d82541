"""Attacks: they raise what they say, more than chance does, and stay in their balls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from engine.foundation.errors import ConfigError
from engine.objectives import Batch, bpr_loss
from engine.robustness import FGSMConfig, PGDConfig, RandomDirectionConfig, perturb
from engine.robustness.attacks import held_out_goals
from engine.robustness.attacks.goals import RankingLossGoal
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.perturbed_model.perturbed_factors import factor_path
from engine.robustness.probing.probe import RobustnessProbe


def loss_at(trained, features):
    """The BPR loss over the frozen triples, by the plainest route there is."""
    triples = ModelUnderTest(trained).triples
    users, items = trained.model(features)
    batch = Batch.gather(trained.model, triples, features)
    return float(bpr_loss(batch.margins(users[triples.users], items[batch.items]), "sum"))


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_pgd_beats_fgsm_beats_chance_beats_nothing(trained, norm):
    clean = loss_at(trained, trained.features)
    for strength in (0.1, 0.5):
        random = [
            loss_at(trained, perturb(trained, RandomDirectionConfig(norm=norm), strength, draw=d))
            for d in range(5)
        ]
        fgsm = loss_at(trained, perturb(trained, FGSMConfig(norm=norm), strength))
        pgd = loss_at(trained, perturb(trained, PGDConfig(norm=norm), strength))
        assert fgsm > clean
        assert fgsm > max(random)
        assert pgd >= fgsm * (1 - 1e-12)


def test_more_restarts_never_weaken_pgd(trained):
    one, three = (
        loss_at(trained, perturb(trained, PGDConfig(restarts=n, steps=4), 0.5)) for n in (1, 3)
    )
    assert three >= one * (1 - 1e-12)


def test_the_goals_gradient_is_that_of_the_loss(trained):
    model = ModelUnderTest(trained)
    leaves = {m: x.clone().requires_grad_() for m, x in trained.features.items()}
    users, items = trained.model(leaves)
    triples = model.triples
    batch = Batch.gather(trained.model, triples, leaves)
    loss = bpr_loss(batch.margins(users[triples.users], items[batch.items]), "sum")
    wanted = torch.autograd.grad(loss, list(leaves.values()))
    attacked = FGSMConfig().attacked_goal(model)
    value, gradients = attacked.by_features(attacked.clean)
    assert value == pytest.approx(float(loss.detach()), rel=1e-12)
    for expected, m in zip(wanted, leaves, strict=True):
        torch.testing.assert_close(gradients[m], expected, rtol=1e-9, atol=1e-12)


def test_scoring_the_table_and_gathering_triples_agree(linear):
    model = ModelUnderTest(linear)
    goal = RankingLossGoal(model.triples)
    table, triples = (
        goal.from_table(*model.clean_factors),
        goal.from_triples(*model.clean_factors),
    )
    assert table[0] == pytest.approx(triples[0], rel=1e-12)
    for a, b in zip(table[1:], triples[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "config",
    [
        FGSMConfig(),
        FGSMConfig(modalities=("text",)),
        FGSMConfig(items=(1, 4, 9)),
        FGSMConfig(goal="promote", target_item=5),
        PGDConfig(),
        PGDConfig(restarts=3, steps=3),
        PGDConfig(goal="demote", target_category="red", restarts=2),
        PGDConfig(goal="promote", target_items=(2, 5)),
        PGDConfig(goal="held_out", restarts=2, steps=4),
        PGDConfig(goal="top_k", cutoff=5, restarts=2, steps=4),
        FGSMConfig(ball="joint"),
        PGDConfig(ball="joint", restarts=3, steps=4),
    ],
    ids=lambda c: f"{c.name}-{c.goal}-{c.ball}-{getattr(c, 'restarts', 1)}",
)
@pytest.mark.parametrize("kind", ["concat", "sum"])
def test_projected_l2_attacks_equal_full_width_ones(trained_models, config, kind):
    trained = trained_models[kind]
    model = ModelUnderTest(trained)
    assert config.projected_path(model, 0, 0) is not None
    for strength in (0.1, 0.7):
        change = factor_path(model, config, 0, 0)(strength)
        _, items = trained.model(perturb(trained, config, strength))
        torch.testing.assert_close(change.item_factors, items[change.items], rtol=1e-7, atol=1e-9)
        slow, fast = (
            path.at(strength).features
            for path in (config.path(model, 0, 0), config.fastest_path(model, 0, 0))
        )
        for m, x in slow.items():
            torch.testing.assert_close(fast[m], x, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("config", [FGSMConfig, PGDConfig])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_promotion_raises_and_demotion_lowers_the_target(trained, config, norm):
    probe = RobustnessProbe(trained, cutoffs=(5, 10))
    target = int(trained.dataset.popularity.argsort()[10])
    up = probe.at(config(goal="promote", target_item=target, norm=norm, cutoff=5), 0.5)
    down = probe.at(config(goal="demote", target_item=target, norm=norm, cutoff=5), 0.5)
    clean = up.target["clean"]
    assert up.target["perturbed"]["target_rank"] < clean["target_rank"]
    assert down.target["perturbed"]["target_rank"] > clean["target_rank"]
    assert up.target["control"]["target_rank"] > up.target["perturbed"]["target_rank"]
    if trained.model.row_local:
        assert up.n_items_changed == 1


def test_a_promoted_category_takes_more_places(linear):
    probe = RobustnessProbe(linear, cutoffs=(5,))
    answer = probe.at(PGDConfig(goal="promote", target_category="red", cutoff=5), 0.5)
    assert answer.n_items_changed == 10
    assert answer.target["perturbed"]["chr@5"] > answer.target["clean"]["chr@5"]
    assert 0 <= answer.target["clean"]["chr@5"] <= 1


def test_exposure_counts_as_sorting_does(linear):
    probe = RobustnessProbe(linear, cutoffs=(5,))
    answer = probe.at(FGSMConfig(goal="promote", target_item=7), 0.0)
    users, items = (x.numpy() for x in linear.factors())
    train = linear.dataset.matrix("train").toarray() > 0
    ranks = []
    for user in probe.ranking.users:
        if train[user, 7]:
            continue
        scores = np.where(train[user], -np.inf, items @ users[user])
        ranks.append(int((scores > scores[7]).sum()))
    assert answer.target["clean"]["target_rank"] == pytest.approx(np.mean(ranks) + 1)
    assert answer.target["clean"]["entered@5"] == pytest.approx(np.mean(np.array(ranks) < 5))


def test_targets_must_be_named_and_known(linear):
    with pytest.raises(ValidationError, match="just one"):
        FGSMConfig(goal="promote")
    with pytest.raises(ValidationError, match="untargeted"):
        FGSMConfig(target_item=3)
    with pytest.raises(ConfigError, match="has blue, green, red"):
        perturb(linear, FGSMConfig(goal="promote", target_category="violet"), 0.1)


def test_the_control_is_of_equal_norm_on_the_same_rows(shop):
    config = PGDConfig(goal="promote", target_item=4, norm="linf", modalities=("image",))
    control = config.control(shop)
    assert control == RandomDirectionConfig(items=(4,), norm="linf", modalities=("image",))


def smooth_recall(trained, users, items, k, widths):
    """The smooth Recall@k as its definition reads, one user after the other."""
    train = trained.dataset.matrix("train").toarray() > 0
    test = trained.dataset.matrix("test").toarray() > 0
    shares = []
    for user in np.flatnonzero(test.any(axis=1)):
        scores = items @ users[user]
        others = scores.masked_fill(torch.from_numpy(train[user]), -torch.inf)
        last = others.sort(descending=True).values[k - 1]
        shares.append(torch.sigmoid((scores[test[user]] - last) / widths[user]).mean())
    return torch.stack(shares).mean()


def test_the_top_k_goal_is_minus_a_smooth_recall_with_its_gradients(trained):
    goal = FGSMConfig(goal="top_k", cutoff=5).attacked_goal(ModelUnderTest(trained)).goal
    users, items = (x.clone().requires_grad_() for x in trained.factors())
    widths = 0.25 * (users @ items.T).std(dim=1).detach()
    wanted = -smooth_recall(trained, users, items, 5, widths)
    by_users, by_items = torch.autograd.grad(wanted, (users, items))
    value, *gradients = goal.value_and_gradients(users.detach(), items.detach())
    assert value == pytest.approx(float(wanted.detach()), rel=1e-9)
    torch.testing.assert_close(gradients[0], by_users, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(gradients[1], by_items, rtol=1e-8, atol=1e-12)


def test_blocks_of_users_do_not_change_the_top_k_goal(linear, monkeypatch):
    whole, parts = (
        FGSMConfig(goal="top_k").attacked_goal(ModelUnderTest(linear)).goal
        for cells in (16_000_000, 7 * linear.dataset.n_items)
        if monkeypatch.setattr(held_out_goals, "BLOCK_CELLS", cells) is None
    )
    assert len(parts.blocks) > 1
    for a, b in zip(
        *(g.value_and_gradients(*linear.factors()) for g in (whole, parts)), strict=True
    ):
        torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), rtol=1e-9, atol=1e-12)


def test_whoever_knows_the_held_out_items_hurts_recall_more(linear):
    probe = RobustnessProbe(linear, cutoffs=(5,))
    blind, held_out, top_k = (
        probe.at(PGDConfig(goal=goal, cutoff=5), 0.3).perturbed["recall@5"].mean()
        for goal in ("untargeted", "held_out", "top_k")
    )
    assert max(held_out, top_k) < blind


@pytest.mark.parametrize("config", [FGSMConfig, PGDConfig])
def test_a_joint_ball_is_never_the_weaker_and_spends_the_same_budget(trained, config):
    goals = [
        loss_at(trained, perturb(trained, config(ball=ball), 0.2)) for ball in ("each", "joint")
    ]
    assert goals[1] >= goals[0] * (1 - 1e-3)
    after = perturb(trained, config(ball="joint"), 0.2)
    shares = [
        torch.linalg.vector_norm(after[m] - x, dim=1) / torch.linalg.vector_norm(x, dim=1)
        for m, x in trained.features.items()
    ]
    strengths = torch.stack(shares).square().mean(0).sqrt()
    assert strengths.max() <= 0.2 * (1 + 1e-9)
    if config is FGSMConfig:
        np.testing.assert_allclose(strengths, 0.2, rtol=1e-6)
