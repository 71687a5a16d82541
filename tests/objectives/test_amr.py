"""AMR's perturbation: exact length, against the model, equal by both routes."""

import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.foundation.errors import ConfigError
from engine.models import BPRMFConfig, VBPRConfig, build_model
from engine.objectives import (
    AMRConfig,
    Batch,
    Objective,
    ObjectiveConfig,
    SquaredPenaltyConfig,
    Triples,
    of_length,
)
from engine.training import fit, preset

CPU = torch.device("cpu")


def bound(dataset, model_config=None, train=False, **adversary):
    config = model_config or VBPRConfig(width=8)
    if train:
        values = {"model": config.model_dump(), "epochs": 15, "batch_size": 256, "device": "cpu"}
        model = fit(dataset, preset("plain", values)).model.double().requires_grad_(True)
    else:
        model = build_model(config, dataset, seed=1).double()
    features = load_features(dataset, model.modalities, FeatureConfig(), CPU, torch.float64)
    objective = Objective(ObjectiveConfig(adversary=AMRConfig(**adversary)), model, features)
    generator = torch.Generator().manual_seed(0)
    triples = Triples(
        torch.from_numpy(dataset.train.users[:200].copy()),
        torch.from_numpy(dataset.train.items[:200].copy()),
        torch.randint(0, dataset.n_items, (200,), generator=generator),
    )
    return model, features, objective, triples


def draws():
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize("direction", ["gradient", "random"])
@pytest.mark.parametrize("unit", ["row_norm", "absolute"])
def test_the_perturbation_has_exactly_the_asked_norm(tiny, direction, unit):
    model, features, objective, triples = bound(tiny, direction=direction, unit=unit, epsilon=0.2)
    step = objective.start(model, triples, features, draws())
    batch = step.batch
    deltas = objective.adversary.perturbation(step)
    for modality, delta in deltas.items():
        lengths = torch.linalg.vector_norm(delta, dim=1)
        scale = torch.linalg.vector_norm(batch.features[modality], dim=1)
        wanted = 0.2 * (scale if unit == "row_norm" else torch.ones_like(scale))
        torch.testing.assert_close(lengths, wanted, rtol=1e-6, atol=0)


def test_it_raises_the_loss_more_than_random_noise_of_equal_norm(tiny):
    losses = {}
    for direction in ("gradient", "random"):
        model, features, objective, triples = bound(
            tiny, train=True, direction=direction, epsilon=0.3
        )
        step = objective.start(model, triples, features, draws())
        batch = step.batch
        deltas = objective.adversary.perturbation(step)
        moved = {m: x + deltas[m] for m, x in batch.features.items()}
        for name, used in (("clean", batch.features), (direction, moved)):
            factors = model.batch_factors(used, triples.users, batch.items)
            losses[name] = float(objective.ranking(batch.margins(*factors)).detach())
    assert losses["gradient"] > losses["clean"]
    assert losses["gradient"] - losses["clean"] > 3 * abs(losses["random"] - losses["clean"])


@pytest.mark.parametrize("form", ["concat", "sum"])
@pytest.mark.parametrize("modalities", [("image",), ("text",), ("image", "text")])
def test_the_projected_route_equals_the_full_width_one_with_its_gradients(tiny, form, modalities):
    model, features, objective, triples = bound(
        tiny, VBPRConfig(width=8, form=form), modalities=modalities, epsilon=0.3
    )
    fast = objective(model, triples, features, draws())
    fast_gradients = torch.autograd.grad(fast, list(model.parameters()))

    step = objective.start(model, triples, features, draws())
    users, items = model.batch_factors(step.batch.features, triples.users, step.batch.items)
    slow = (
        objective.ranking(step.batch.margins(users, items))
        + objective.adversary.full_width_term(step)
        + objective.regulariser(model, step.batch, users, items)
    )
    slow_gradients = torch.autograd.grad(slow, list(model.parameters()))
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=0)
    for one, two in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-14)


def test_only_the_chosen_modality_is_perturbed(tiny):
    model, features, objective, triples = bound(tiny, modalities=("text",))
    step = objective.start(model, triples, features, draws())
    deltas = objective.adversary.perturbation(step)
    assert set(deltas) == {"text"}


def test_no_gradient_flows_through_the_perturbation(tiny):
    model, features, objective, triples = bound(tiny)
    step = objective.start(model, triples, features, draws())
    deltas = objective.adversary.perturbation(step)
    assert not any(delta.requires_grad for delta in deltas.values())


def test_a_zero_gradient_gets_no_perturbation_and_a_tiny_one_its_direction():
    directions = torch.tensor([[0.0, 0.0], [3e-30, 4e-30]])
    scaled = of_length(directions, torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(scaled, torch.tensor([[0.0, 0.0], [1.2, 1.6]]))


def test_a_model_without_features_has_nothing_to_perturb(tiny):
    with pytest.raises(ConfigError, match="reads no features"):
        bound(tiny, BPRMFConfig(width=4))


def test_the_published_penalties_are_what_the_papers_write(tiny):
    model, features, _, triples = bound(tiny)
    batch = Batch.gather(model, triples, features)
    users, items = model.batch_factors(batch.features, triples.users, batch.items)
    positives, negatives = items[batch.positive_rows], items[batch.negative_rows]
    norm = ObjectiveConfig().regulariser
    expected = norm.weight * (users.norm() + positives.norm() + negatives.norm()) / len(triples)
    torch.testing.assert_close(norm.build()(model, batch, users, items), expected)

    squared = SquaredPenaltyConfig(users=0.1, items=0.01, projection=0.5)
    p = dict(model.named_parameters())
    expected = (
        0.1 * users.square().sum()
        + 0.01 * positives.square().sum()
        + 0.01 * negatives.square().sum()
        + 0.5 * sum(p[n].square().sum() for n in ("projection.image", "projection.text", "bias"))
    )
    torch.testing.assert_close(squared.build()(model, batch, users, items), expected)
