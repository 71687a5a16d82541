"""Every config class survives the way into widgets and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from engine.foundation.config import Config
from engine.robustness import PERTURBATIONS
from engine.studies.analysis_table import ANALYSES
from engine.training import PRESETS, TrainConfig

CLASSES: dict[str, Callable[[], type[Config]]] = {
    "train": lambda: TrainConfig,
    **{kind: analysis.config_class for kind, analysis in ANALYSES.items()},
    **{name: (lambda c=config: c) for name, config in PERTURBATIONS.items()},
}


def page(module: str, name: str, start: dict) -> None:
    """A page that is one form and keeps what it returns."""
    import importlib

    import streamlit as st

    from app.widgets.config_form import config_form

    config = getattr(importlib.import_module(module), name)
    made = config_form(config, "form", config.parse(start))
    st.session_state["made"] = None if made is None else made.model_dump(mode="json")


def form_of(config: Config) -> AppTest:
    where = type(config)
    arguments = (where.__module__, where.__name__, config.model_dump(mode="json"))
    test = AppTest.from_function(page, args=arguments, default_timeout=180).run()
    assert not test.exception, test.exception[0].message
    return test


@pytest.mark.parametrize("name", CLASSES)
def test_untouched_widgets_give_back_the_config(name: str) -> None:
    config = CLASSES[name]()()
    assert form_of(config).session_state["made"] == config.model_dump(mode="json")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_its_widgets(name: str) -> None:
    config = PRESETS[name][1]
    assert form_of(config).session_state["made"] == config.model_dump(mode="json")


def test_a_choice_between_configs_brings_that_choices_settings() -> None:
    test = form_of(TrainConfig())
    test.selectbox(key="form.model").set_value("lightgcn").run()
    assert test.session_state["made"]["model"]["name"] == "lightgcn"
    test.selectbox(key="form.model").set_value("vbpr").run()
    assert test.session_state["made"] == TrainConfig().model_dump(mode="json")


def test_an_optional_config_can_be_taken_and_left() -> None:
    test = form_of(TrainConfig())
    assert test.session_state["made"]["objective"]["adversary"] is None
    test.selectbox(key="form.objective.adversary").set_value("amr").run()
    assert test.session_state["made"]["objective"]["adversary"]["name"] == "amr"


def test_settings_that_do_not_fit_together_show_one_clear_error() -> None:
    test = form_of(PRESETS["mg"][1])
    test.number_input(key="form.stepper.mirror-gradient.alpha2").set_value(2.0).run()
    assert test.session_state["made"] is None
    assert len(test.error) == 1
    assert "alpha2 must be smaller" in test.error[0].value


def test_every_widget_has_the_fields_own_help() -> None:
    test = form_of(TrainConfig())
    assert "MMRec" in test.number_input(key="form.batch_size").help
