"""VBPR with the paper's biases, score by score."""

import torch

from engine.models import VBPRConfig
from engine.objectives import AMRConfig, Objective, ObjectiveConfig


def with_biases(made):
    model, features = made(VBPRConfig(width=5, form="biased"))
    with torch.no_grad():
        for m, bias in model.feature_bias.items():
            bias.copy_(torch.linspace(-1, 1, bias.numel()))
            assert features[m].shape[1] == bias.numel()
        model.item_bias.copy_(torch.linspace(-2, 2, model.n_items)[:, None])
    return model, features


def test_scores_are_those_of_equation_4_up_to_what_a_user_adds(made):
    model, features = with_biases(made)
    users, items = model(features)
    for u, i in ((0, 0), (3, 7), (59, 39)):
        score = model.item_bias[i, 0] + model.users[u, :5] @ model.items[i]
        for m, x in features.items():
            score = score + model.users[u, 5:] @ (model.projection[m] @ x[i])
            score = score + model.feature_bias[m][0] @ x[i]
        torch.testing.assert_close(users[u] @ items[i], score)


def test_an_adversary_takes_the_narrow_route_to_the_same_term(made, triples):
    model, features = with_biases(made)
    objective = Objective(ObjectiveConfig(adversary=AMRConfig()), model, features)
    step = objective.start(model, triples, features, torch.Generator())
    narrow = objective.adversary.term(step)
    wide = objective.adversary.full_width_term(step)
    torch.testing.assert_close(narrow, wide)
