"""The form that plans a sweep: presets, values of settings, seeds and a name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.charts.text import escape
from app.widgets.config_form import NONE, label_of, nested_configs
from app.widgets.error_boundary import show_error
from engine.foundation.config import ConfigField, fields_of
from engine.foundation.errors import ConfigError

if TYPE_CHECKING:
    from engine.training.sweep_plan import SweepConfig

PLAIN = (int, float, str, bool)


def sweepable_fields() -> dict[str, ConfigField]:
    """Settings of a training that take one plain value each, by dotted name."""
    from engine.training import TrainConfig

    sweepable: dict[str, ConfigField] = {}
    for field in fields_of(TrainConfig):
        plain = field.annotation in PLAIN or (field.choices and not field.choices_of_config)
        if plain and not nested_configs(field) and field.path != "seed":
            sweepable.setdefault(field.path, field)
    return sweepable


def parse_values(field: ConfigField, text: str) -> tuple[Any, ...]:
    """The values of a setting out of ``0.1, 0.2, none``, each of the setting's type, once.

    Raises ConfigError naming the value that is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError(f"{field.path} has no value; give some, e.g. {_example(field)}.")
    return tuple(dict.fromkeys(_parse(field, part) for part in parts))


def _parse(field: ConfigField, part: str) -> Any:
    if part.lower() == NONE and field.optional:
        return None
    kind = field.annotation
    if field.choices:
        if part not in field.choices:
            raise ConfigError(f"{field.path}: '{part}' is none of {', '.join(field.choices)}.")
        return part
    if kind is bool:
        if part.lower() not in ("true", "false"):
            raise ConfigError(f"{field.path}: '{part}' is neither true nor false.")
        return part.lower() == "true"
    try:
        return kind(part)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{field.path}: '{part}' is not {what}.") from None


def _example(field: ConfigField) -> str:
    if field.choices:
        return ", ".join(field.choices)
    if field.annotation is bool:
        return "true, false"
    return str(field.default) if field.default is not None else "0.1, 0.2"


def sweep_form(
    presets: Sequence[str], names_in_use: Sequence[str]
) -> tuple[str, SweepConfig | None]:
    """Widgets for a sweep; its name, and what it asks for, or None where that is not valid."""
    from engine.training.sweep_plan import SweepConfig, plan_runs

    fields = sweepable_fields()
    chosen = st.pills(
        "Presets", list(presets), selection_mode="multi", default=["plain", "mg"],
        key="sweep.presets", bind="query-params", persist_state="session",
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        grid = _values_of(fields, "Settings to vary", "grid", "Their values multiply")
    with right:
        shared = _values_of(fields, "Settings that all runs share", "settings", "One value each")
    name, seeds, first = st.columns([3, 1, 1])
    if "sweep.name" not in st.session_state:
        free = (f"sweep-{n}" for n in count(1))
        st.session_state["sweep.name"] = next(n for n in free if n not in names_in_use)
    label = name.text_input(
        "Name of the sweep", key="sweep.name", help="Letters, digits, '.', '_' and '-'"
    )
    n_seeds = seeds.number_input("Seeds of each", 1, 100, 3, key="sweep.seeds", bind="query-params")
    first_seed = first.number_input(
        "First seed", 0, 2**31 - 1, 0, key="sweep.first_seed", bind="query-params"
    )
    try:
        if not chosen:
            raise ConfigError("A sweep needs a preset to start from; choose at least one.")
        single = {field: _one_value(fields[field], text) for field, text in shared.items()}
        config = SweepConfig.parse(
            {
                "presets": tuple(chosen),
                "settings": single,
                "grid": {field: parse_values(fields[field], text) for field, text in grid.items()},
                "n_seeds": int(n_seeds),
                "first_seed": int(first_seed),
            }
        )
        plan = plan_runs(config)
    except ConfigError as error:
        show_error(error)
        return label.strip(), None
    strategies = list(dict.fromkeys(strategy for strategy, _ in plan))
    st.caption(
        f"{len(plan)} runs: {len(strategies)} strategies ({escape(_first_few(strategies))}) × "
        f"{int(n_seeds)} seeds. A varied setting that a preset lacks is passed over for it."
    )
    return label.strip(), config


def _values_of(fields: dict[str, ConfigField], title: str, key: str, note: str) -> dict[str, str]:
    """Settings picked from a list, and the text of the values typed for each."""
    picked = st.multiselect(
        title, list(fields), key=f"sweep.{key}", bind="query-params", help=note, placeholder="None",
        persist_state="session",
    )  # fmt: skip
    several = key == "grid"
    return {
        path: st.text_input(
            f"{label_of(path)} ({path})",
            key=f"sweep.{key}.{path}",
            bind="query-params",
            placeholder=_example(fields[path]),
            help=f"{fields[path].help} {'Separate several by commas.' if several else ''}".strip(),
            persist_state="session",
        )
        for path in picked
    }


def _one_value(field: ConfigField, text: str) -> Any:
    values = parse_values(field, text)
    if len(values) > 1:
        raise ConfigError(f"{field.path} has {len(values)} values; to vary it, choose it above.")
    return values[0]


def _first_few(names: Sequence[str], most: int = 4) -> str:
    more = f"; and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
