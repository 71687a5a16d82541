"""What a sweep plans."""

import pytest

from engine.foundation.errors import ConfigError
from engine.training.sweep_plan import Range, SweepConfig, plan_runs


def test_a_grid_multiplies_and_each_config_gets_its_seeds():
    runs = plan_runs(
        SweepConfig(
            presets=("mg",), grid={"stepper.alpha2": (0.1, 0.3), "stepper.beta": (2, 3)}, n_seeds=2
        )
    )
    assert len(runs) == 8
    assert [config.seed for _, config in runs[:2]] == [0, 1]
    assert runs[0][0] == runs[1][0] == "mg, stepper.alpha2=0.1, stepper.beta=2"
    assert {(c.stepper.alpha2, c.stepper.beta) for _, c in runs} == {
        (a, b) for a in (0.1, 0.3) for b in (2, 3)
    }


def test_a_field_that_a_preset_lacks_is_passed_over_for_it():
    runs = plan_runs(
        SweepConfig(presets=("plain", "amr"), grid={"objective.adversary.epsilon": (0.1, 0.5)})
    )
    assert [label for label, _ in runs] == [
        "plain",
        "amr, objective.adversary.epsilon=0.1",
        "amr, objective.adversary.epsilon=0.5",
    ]


def test_random_fields_stay_in_their_range_and_repeat_with_the_seed():
    sweep = SweepConfig(
        random={"optimiser.learning_rate": Range(low=1e-4, high=1e-1, log=True)}, n_samples=40
    )
    rates = [config.optimiser.learning_rate for _, config in plan_runs(sweep)]
    assert min(rates) >= 1e-4
    assert max(rates) <= 1e-1
    assert sum(rate < 10**-2.5 for rate in rates) == pytest.approx(20, abs=8)
    assert rates == [config.optimiser.learning_rate for _, config in plan_runs(sweep)]


def test_random_fields_may_be_drawn_from_values_and_equal_draws_are_planned_once():
    sweep = SweepConfig(random={"optimiser": ("adam", "sgd", "adagrad")}, n_samples=60, n_seeds=2)
    runs = plan_runs(sweep)
    assert {config.optimiser.name for _, config in runs} == {"adam", "sgd", "adagrad"}
    assert len(runs) == 6


def test_what_a_swept_choice_lacks_is_passed_over_for_it():
    grid = {"optimiser": ("adagrad", "sgd"), "optimiser.learning_rate": (0.1, 1.0)}
    assert [label for label, _ in plan_runs(SweepConfig(grid=grid))] == [
        "plain, optimiser=adagrad",
        "plain, optimiser=sgd, optimiser.learning_rate=0.1",
        "plain, optimiser=sgd, optimiser.learning_rate=1",
    ]


def test_values_that_only_fit_together_are_set_together():
    grid = {"stepper.alpha1": (0.1,), "stepper.alpha2": (0.05,)}
    ((_, config),) = plan_runs(SweepConfig(presets=("mg",), grid=grid))
    assert (config.stepper.alpha1, config.stepper.alpha2) == (0.1, 0.05)


def test_lists_and_nothing_at_all_can_be_swept():
    grid = {"model.modalities": ("text", "image+text"), "averaging": ("ema", None)}
    runs = plan_runs(SweepConfig(settings={"model.modalities": "image"}, grid=grid))
    found = [(c.model.modalities, c.averaging and c.averaging.name) for _, c in runs]
    texts, both = ("text",), ("image", "text")
    assert found == [(texts, "ema"), (texts, None), (both, "ema"), (both, None)]


@pytest.mark.parametrize(
    "values",
    [
        {"grid": {"stepper.alpha9": (1,)}},
        {"settings": {"nothing": 1}},
        {"grid": {"epochs": (0,)}},
        {"presets": ("best",)},
    ],
)
def test_what_cannot_be_set_is_a_clear_error(values):
    with pytest.raises(ConfigError):
        plan_runs(SweepConfig.parse(values))
