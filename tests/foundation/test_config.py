"""Configs describe themselves, and refuse what they do not allow."""

import json
from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, model_validator

from engine.foundation.config import Config, fields_of
from engine.foundation.errors import ConfigError
from engine.training import PRESETS, TrainConfig, preset


class Square(Config):
    name: Literal["square"] = "square"
    side: float = Field(default=1.0, gt=0)
    """Length of a side, in metres."""


class Circle(Config):
    name: Literal["circle"] = "circle"
    radius: float = 2.0


class Drawing(Config):
    shape: Annotated[Square | Circle, Field(discriminator="name")] = Square()
    frame: Square | None = None
    copies: int = Field(default=1, ge=1, le=9)
    """How many."""


def test_a_docstring_is_the_help_text():
    helps = {f.path: f.help for f in fields_of(Drawing)}
    assert helps["copies"] == "How many."
    assert helps["shape.side"] == "Length of a side, in metres."


def test_fields_tell_their_choices_limits_and_options():
    fields = {f.path: f for f in fields_of(Drawing)}
    assert fields["shape"].choices == ("square", "circle")
    assert (fields["copies"].minimum, fields["copies"].maximum) == (1, 9)
    assert fields["frame"].optional
    assert not fields["copies"].optional


def test_naming_a_choice_switches_to_its_defaults():
    changed = Drawing().changed({"shape": "circle", "shape.radius": 3})
    assert changed.shape == Circle(radius=3.0)


def test_an_optional_choice_can_be_switched_on_and_off():
    framed = Drawing().changed({"frame": "square"})
    assert framed.frame == Square()
    assert framed.changed({"frame": "none"}).frame is None


def test_an_unknown_setting_is_named_with_all_that_there_are():
    with pytest.raises(ConfigError, match=r"'shape\.sides' is not a setting.*shape\.side"):
        Drawing().changed({"shape.sides": 2})


def test_a_setting_of_something_not_in_use_says_so():
    with pytest.raises(ConfigError, match="'frame' is not in use"):
        Drawing().changed({"frame.side": 2})


@pytest.mark.parametrize("value", [0, 10, "many", float("nan")])
def test_a_value_outside_its_limits_is_one_clear_error(value):
    with pytest.raises(ConfigError, match=r"copies.*found"):
        Drawing.parse({"copies": value})


def test_what_a_class_says_about_its_own_values_has_no_preface():
    class Pair(Config):
        low: int = 0
        high: int = 1

        @model_validator(mode="after")
        def _are_ordered(self) -> Self:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    with pytest.raises(ConfigError) as refused:
        Pair.parse({"low": 2})
    assert str(refused.value) == "Pair is not valid: low is above high"


def test_an_extra_field_is_refused():
    with pytest.raises(ConfigError, match="colour"):
        Drawing.parse({"colour": "red"})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name):
    config = preset(name)
    assert TrainConfig.parse(json.loads(config.model_dump_json())) == config


def test_every_training_field_has_a_help_text():
    missing = [f.path for f in fields_of(TrainConfig) if not f.help]
    assert missing == []


def test_mirror_gradient_refuses_an_ascent_larger_than_its_descent():
    with pytest.raises(ConfigError, match="alpha2 must be smaller"):
        preset("mg", {"stepper.alpha2": 1.5})
