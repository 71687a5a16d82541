"""Members of the standard set: each is its algorithm written out, in one and the same ball."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.objectives import bpr_loss
from engine.robustness import perturb
from engine.robustness.attacks.held_out_goals import held_out_triples
from engine.robustness.perturbed_model.model_under_test import ModelUnderTest
from engine.robustness.standard import ATTACK_TITLES, standard_attacks
from tests.robustness.test_attacks import smooth_recall
from tests.robustness.test_standard import QUICK, STEPPED, of_strategy


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("unit", ["row_norm", "absolute"])
def test_every_member_and_its_control_stay_in_one_ball(linear, norm, unit):
    config = QUICK.changed({"norm": norm, "unit": unit})
    attacks = config.attacks(linear.dataset)
    for attack in [*attacks.values(), config.control]:
        after = perturb(linear, attack, 0.3)
        for m, x in linear.features.items():
            moved = after[m] - x
            size = moved.norm(dim=1) if norm == "l2" else moved.abs().amax(dim=1)
            radius = 0.3 * (x.norm(dim=1) if unit == "row_norm" else torch.ones(len(x)))
            if norm == "linf" and unit == "row_norm":
                radius = radius / x.shape[1] ** 0.5
            assert (size <= radius * (1 + 1e-9)).all()
            if attack is config.control:
                torch.testing.assert_close(size, radius.to(size))


def plain_value(trained, attack, features):
    """The goal of a member as its definition reads, from features alone."""
    model = ModelUnderTest(trained)
    users, items = trained.model(features)
    if attack.goal == "top_k":
        clean_users, clean_items = trained.factors()
        widths = 0.25 * (clean_users @ clean_items.T).std(dim=1)
        return -smooth_recall(trained, users, items, attack.cutoff, widths)
    if attack.goal == "promote":
        goal = attack.attacked_goal(model).goal
        short = goal.thresholds_U[:, None] - users @ items[goal.targets].T
        return -torch.nn.functional.softplus(short)[goal.is_new_UT].mean()
    triples = held_out_triples(model, "test") if attack.goal == "held_out" else model.triples
    apart = items[triples.positives] - items[triples.negatives]
    return bpr_loss((users[triples.users] * apart).sum(dim=1), "sum")


def by_hand(trained, attack, strength):
    """FGSM or PGD with autograd through the whole model, one line a line of the algorithm."""
    from engine.data.perturbations.feature_table import normal

    model = ModelUnderTest(trained)
    chosen = model.items(attack)
    clean = trained.features
    radius = {m: strength * x.norm(dim=1)[chosen, None] for m, x in clean.items()}

    def features(deltas):
        return {m: x.index_add(0, chosen, deltas[m]) for m, x in clean.items()}

    def gradient(deltas):
        leaves = {m: d.clone().requires_grad_() for m, d in deltas.items()}
        value = plain_value(trained, attack, features(leaves))
        got = torch.autograd.grad(value, list(leaves.values()))
        return float(value.detach()), dict(zip(leaves, got, strict=True))

    def scaled(rows, lengths):
        norms = rows.norm(dim=1, keepdim=True)
        return rows / norms.where(norms > 0, torch.ones(())) * lengths

    zero = {m: torch.zeros(len(chosen), x.shape[1], dtype=x.dtype) for m, x in clean.items()}
    _, first = gradient(zero)
    if attack.name == "fgsm":
        return features({m: scaled(g, radius[m]) for m, g in first.items()})
    best, best_features = -np.inf, None
    for start in range(attack.restarts):
        along = first if start == 0 else {m: normal(model, m, chosen, 1, start) for m in clean}
        deltas = {m: scaled(d, radius[m]) for m, d in along.items()}
        for _ in range(attack.steps + 1):
            value, up = gradient(deltas)
            if value > best:
                best, best_features = value, features(deltas)
            deltas = {m: d + scaled(up[m], attack.step_size * radius[m]) for m, d in deltas.items()}
            for m, d in deltas.items():
                outside = d.norm(dim=1, keepdim=True) > radius[m]
                deltas[m] = torch.where(outside, scaled(d, radius[m]), d)
    return best_features


@pytest.mark.parametrize("key", [key for key in ATTACK_TITLES if key != "transfer"])
@pytest.mark.parametrize("kind", ["concat", "bent"])
def test_each_attack_equals_the_algorithm_written_out(trained_models, kind, key):
    trained = trained_models[kind]
    attack = QUICK.attacks(trained.dataset)[key]
    wanted = by_hand(trained, attack, 0.3)
    for m, x in perturb(trained, attack, 0.3).items():
        torch.testing.assert_close(x, wanted[m], rtol=1e-6, atol=1e-8)


def test_the_transferred_attack_is_the_twins_own_read_by_the_run(trained_models):
    run = of_strategy(trained_models["bent"], STEPPED, "run")
    twin = of_strategy(trained_models["concat"], {}, "twin")
    found = standard_attacks([run], QUICK.changed({"strengths": [0.3]}), twins=[twin])
    assert found.runs[0]["twin"] == "twin"
    made = perturb(twin, QUICK.attacks(run.dataset)["pgd-top-k"], 0.3)
    users, items = run.model(made)
    scores = (users @ items.T).detach().numpy()
    scores[run.dataset.matrix("train").toarray() > 0] = -np.inf
    test = run.dataset.matrix("test").toarray() > 0
    top = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    hits = np.take_along_axis(test, top, axis=1).sum(axis=1)
    recall = (hits / np.maximum(test.sum(axis=1), 1))[test.any(axis=1)].mean()
    assert found.per_run().query("strength == 0.3")["transfer"].item() == pytest.approx(recall)
