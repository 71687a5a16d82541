"""One strategy from a preset, every setting, and a run for each seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.panels.train.trainings import start
from app.widgets.config_form import config_form
from app.widgets.error_boundary import show_errors
from app.widgets.flat_values import flat_values
from app.widgets.glossary import explain

if TYPE_CHECKING:
    from engine.training import TrainConfig


def one_strategy() -> None:
    """The form of a training and the button that starts it."""
    with st.spinner("Loading the engine ..."):
        from engine.training import PRESETS, TrainConfig

    name = str(
        st.pills(
            "Start from a preset", list(PRESETS), default="plain", required=True, key="preset",
            help=explain("Mirror Gradient", "AMR", "SAM", "PGD", "BPR", "Warm start"),
            bind="query-params",
            persist_state="session",
        )
    )  # fmt: skip
    description, preset = PRESETS[name]
    st.caption(description)
    row = st.container()
    with st.expander("All settings", icon=":material/tune:"):
        config = config_form(TrainConfig, f"train.{name}", preset, hidden={"seed"}, columns=4)
    if config is None:
        st.warning("These settings do not fit together; All settings says why.")
    with row:
        _start(config, name, preset)


def _start(config: TrainConfig | None, preset_name: str, preset: TrainConfig) -> None:
    """Name, seeds and the button."""
    name = preset_name if config is None else name_of(preset_name, preset, config)
    left, middle, right, button = st.columns([3, 1, 1, 1], vertical_alignment="bottom")
    label = left.text_input(
        "Name of the run", placeholder=name, key=f"name.{preset_name}", bind="query-params",
        help="Unless you give one, it is made from what differs from the preset",
    )  # fmt: skip
    n_seeds = middle.number_input(
        "Seeds", 1, 20, 1, help="Several seeds give means with 95 % intervals; 5 are a good start."
    )
    seed = right.number_input("First seed", 0, 2**31 - 1, 0)
    pressed = button.button("Train", type="primary", icon=":material/play_arrow:", width="stretch")
    if pressed and config is not None:
        with st.spinner("Queueing ..."), show_errors():
            start(config.changed({"seed": seed}), label.strip() or name, int(n_seeds))
            st.rerun()


def name_of(preset_name: str, preset: TrainConfig, config: TrainConfig, most: int = 3) -> str:
    """What a run is called that nobody named: its preset, and the settings that differ from it."""
    usual, values = (dict(flat_values(c.model_dump(mode="json"))) for c in (preset, config))
    changes = [
        f"{name.rpartition('.')[2].replace('_', ' ')} {value}"
        for name, value in values.items()
        if name != "seed" and value != usual.get(name)
    ]
    return ", ".join([preset_name, *changes[:most]])
