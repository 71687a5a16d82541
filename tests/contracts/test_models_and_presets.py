"""What every model and every preset must satisfy; a new one is tested without a line here."""

from functools import cache

import numpy as np
import pytest
import torch

from engine.data.features import FeatureConfig, load_features
from engine.evaluation import evaluate
from engine.foundation.errors import ConfigError
from engine.models import MODELS, MultimodalConfig, TermInputs, build_model
from engine.objectives import Objective, ObjectiveConfig, Triples
from engine.training import PRESETS, MemoryRecorder, TrainConfig, Trained, fit, preset

CONFIGS = [config() for config in MODELS]
NAMES = [config.name for config in CONFIGS]

STEP = 1e-7
"""Step of finite differences: so short that hardly a rectifier changes its side within it."""


def is_for(config, preset_model):
    """A preset for a certain model meets that one; the others, which leave it at VBPR, meet all."""
    return preset_model.name in ("vbpr", config.name)


CASES = [
    (config, name)
    for config in CONFIGS
    for name, (_, start) in PRESETS.items()
    if is_for(config, start.model)
]
CASE_NAMES = [f"{config.name}-{name}" for config, name in CASES]


def quick(config, preset_name, **overrides):
    changes = {
        "model": config.model_dump(mode="json") | {"width": 8},
        "epochs": 4,
        "batch_size": 128,
        "device": "cpu",
        "checkpoint_every": 1,
    }
    start = preset(preset_name)
    if start.optimiser.name in ("adam", "adamw"):
        changes["optimiser.learning_rate"] = 0.01
    if start.objective.adversary is not None:
        changes["objective.adversary.warm_start_epochs"] = 1
    if start.averaging is not None and start.averaging.name == "swa":
        changes["averaging.start_epoch"] = 2
    return preset(preset_name, changes | overrides)


def perturbs_what_is_not_there(config, name):
    adversary = preset(name).objective.adversary
    reads_features = isinstance(config, MultimodalConfig)
    return not reads_features and hasattr(adversary, "modalities")


@pytest.fixture(params=CONFIGS, ids=NAMES)
def built(request, tiny):
    model = build_model(request.param, tiny, seed=4)
    features = load_features(tiny, model.modalities, FeatureConfig(), torch.device("cpu"))
    return model, features


def test_factors_have_one_row_a_user_and_an_item_and_one_width(built, tiny):
    users, items = built[0](built[1])
    assert users.shape[0] == tiny.n_users
    assert items.shape[0] == tiny.n_items
    assert users.shape[1] == items.shape[1]


def test_chosen_rows_are_rows_of_the_whole(built):
    model, features = built
    users, items = torch.tensor([3, 0, 3]), torch.tensor([5, 1])
    rows = {m: x[items] for m, x in features.items()} if model.row_local else features
    some_users, some_items = model.batch_factors(rows, users, items)
    all_users, all_items = model(features)
    torch.testing.assert_close(some_users, all_users[users])
    torch.testing.assert_close(some_items, all_items[items])


def test_equal_seeds_give_equal_weights_and_others_do_not(built, tiny):
    model = built[0]
    again, other = build_model(model.config, tiny, 4), build_model(model.config, tiny, 5)
    for name, weights in model.theta().items():
        assert torch.equal(weights, again.theta()[name])
    assert any(not torch.equal(w, other.theta()[name]) for name, w in model.theta().items())


def test_every_parameter_has_a_block_and_comes_back_from_theta(built):
    model = built[0]
    theta = model.theta()
    assert all(model.block(name).isidentifier() for name in theta)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    model.load_theta(theta)
    assert all(torch.equal(p, theta[n]) for n, p in model.named_parameters())


def test_a_map_declared_affine_is_affine_in_the_parameters(built):
    model, features = built
    model, features = model.double(), {m: x.double() for m, x in features.items()}
    if not model.affine:
        pytest.skip(f"{type(model).__name__} does not declare affine maps")
    start = model.theta()
    generator = torch.Generator().manual_seed(0)
    step = {n: torch.randn(p.shape, generator=generator).double() for n, p in start.items()}

    def factors(t):
        with torch.no_grad():
            theta = {n: start[n] + t * step[n] for n in start}
            return torch.func.functional_call(model, theta, (features,))

    at_0, at_1, at_3 = factors(0.0), factors(1.0), factors(3.0)
    for zero, one, three in zip(at_0, at_1, at_3, strict=True):
        torch.testing.assert_close(three, zero + 3 * (one - zero), rtol=1e-10, atol=1e-12)


def test_terms_are_those_declared_and_count_in_the_objective(built, tiny):
    model, features = built
    objective = Objective(ObjectiveConfig(), model, features)
    ids = torch.tensor(tiny.train.users[:32]), torch.tensor(tiny.train.items[:32])
    triples = Triples(*ids, torch.arange(32) % tiny.n_items)
    step = objective.start(model, triples, features, torch.Generator().manual_seed(0))
    inputs = TermInputs(
        users=triples.users,
        items=step.batch.items,
        positive_rows=step.batch.positive_rows,
        negative_rows=step.batch.negative_rows,
        features=step.batch.features,
        user_factors=step.users,
        item_factors=step.items,
        ranking=objective.ranking,
        generator=torch.Generator().manual_seed(0),
        extras=step.extras,
    )
    terms = model.terms(inputs)
    assert tuple(terms) == model.term_names
    assert all(term.shape == () and torch.isfinite(term) for term in terms.values())
    ranking = objective.ranking(step.batch.margins(step.users, step.items)) if model.ranks else 0.0
    torch.testing.assert_close(step.clean, sum(terms.values()) + ranking)


def test_features_not_named_by_the_model_are_not_read(built):
    model, features = built
    assert set(features) == set(model.modalities)


def test_the_gradient_is_that_of_finite_differences(built, tiny):
    model, features = built
    if model.holds_constant:
        pytest.skip(f"{type(model).__name__} holds targets constant; tests/models has its gradient")
    model, features = model.double(), {m: x.double() for m, x in features.items()}
    objective = Objective(ObjectiveConfig(), model, features)
    triples = Triples(
        torch.tensor(tiny.train.users[:64]),
        torch.tensor(tiny.train.items[:64]),
        torch.tensor(tiny.train.items[64:128]),
    )

    def loss():
        return objective(model, triples, features, torch.Generator())

    loss().backward()
    for name, parameter in model.named_parameters():
        direction = torch.randn(
            parameter.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        )
        slope = float((parameter.grad * direction).sum())
        with torch.no_grad():
            parameter += STEP * direction
            above = float(loss())
            parameter -= 2 * STEP * direction
            below = float(loss())
            parameter += STEP * direction
        assert slope == pytest.approx((above - below) / (2 * STEP), rel=1e-5, abs=1e-8), name


@pytest.fixture(scope="module")
def trained(tiny):
    """Each model under each preset, trained once: what came of it, and the recorder."""

    @cache
    def train(config, name):
        recorder = MemoryRecorder()
        return fit(tiny, quick(config, name), recorder), recorder

    return train


@pytest.mark.parametrize(("config", "name"), CASES, ids=CASE_NAMES)
def test_every_model_trains_under_every_preset(config, name, trained):
    if perturbs_what_is_not_there(config, name):
        with pytest.raises(ConfigError, match="reads no features"):
            trained(config, name)
        return
    result, recorder = trained(config, name)
    assert result.state == "finished"
    losses = [e["loss"] for e in recorder.events if e["kind"] == "epoch"]
    assert np.isfinite(losses).all()
    assert result.valid["recall@20"] > 0
    assert result.gradient_passes > 0
    adversary = result.config.objective.adversary
    warm = adversary.warm_start_epochs if adversary else 0
    assert result.best_epoch > warm
    assert set(recorder.weights) == set(result.model.theta())


@pytest.mark.parametrize(("config", "name"), CASES, ids=CASE_NAMES)
def test_resume_equals_uninterrupted_bit_for_bit(config, name, tiny, trained):
    if perturbs_what_is_not_there(config, name):
        pytest.skip("nothing to perturb in a model without features")
    whole, _ = trained(config, name)
    recorder = MemoryRecorder()

    class Stop(Exception):
        pass

    def stop_in_epoch_3(share, message):
        if message.startswith("epoch 3"):
            raise Stop

    with pytest.raises(Stop):
        fit(tiny, quick(config, name), recorder, stop_in_epoch_3)
    assert recorder.checkpoint.values["state"]["epoch"] == 2
    resumed = fit(tiny, quick(config, name), recorder)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.gradient_passes == whole.gradient_passes
    assert resumed.test == whole.test
    for weights, expected in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(weights, expected)


def test_training_learns_more_than_chance(tiny):
    for config in CONFIGS:
        # Without negatives nothing but what pairs share tells items apart, which takes longer.
        epochs = 30 if build_model(config, tiny, 0).ranks else 100
        result = fit(tiny, quick(config, "plain", epochs=epochs, patience=epochs))
        untrained = Trained.from_weights(
            result.config, build_model(result.config.model, tiny, 0).theta(), tiny
        )
        before = evaluate(*untrained.factors(), tiny, "valid").means()["ndcg@20"]
        # A graph walk over features ranks well before it is trained, hence no larger factor.
        assert result.valid["ndcg@20"] > before * 1.1, config.name


def test_two_trainings_with_one_seed_agree_bit_for_bit(tiny, trained):
    for config in CONFIGS:
        one, two = trained(config, "mg")[0], fit(tiny, quick(config, "mg"))
        for weights, expected in zip(one.model.parameters(), two.model.parameters(), strict=True):
            assert torch.equal(weights, expected)


def test_opened_again_the_weights_give_the_metrics_that_were_kept(tiny, trained):
    for config in CONFIGS:
        result, recorder = trained(config, "plain")
        opened = Trained.from_weights(
            TrainConfig.parse(result.config.model_dump(mode="json")), recorder.weights, tiny
        )
        assert evaluate(*opened.factors(), tiny, "test").means()["recall@20"] == pytest.approx(
            result.test["recall@20"], abs=1e-12
        )
