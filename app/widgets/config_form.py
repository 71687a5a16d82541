"""A config class becomes its widgets: names, limits, defaults and help come from the class."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import streamlit as st

from app.widgets.error_boundary import show_error
from engine.foundation.config import Config, ConfigField, choice_name, fields_of
from engine.foundation.errors import ConfigError

C = TypeVar("C", bound=Config)

NONE = "none"
"""How an optional choice that is not in use is called."""


def config_form(
    config: type[C],
    key: str,
    start: C | None = None,
    hidden: Collection[str] = (),
    columns: int = 3,
) -> C | None:
    """Widgets for every setting of a config class; returns the valid config made from them.

    ``start`` gives the values shown first, else the class's defaults; ``hidden`` fields keep them.
    Nested configs each get a tab. Where the settings do not fit together, shows one error and
    returns None. Values live as long as the visitor's session, under ``key``.
    """
    begin = start.model_dump(mode="json") if start is not None else defaults(config)
    fields = [field for field in fields_of(config, deep=False) if field.path not in hidden]
    plain = [field for field in fields if not nested_configs(field)]
    nested = [field for field in fields if nested_configs(field)]
    values = {name: begin[name] for name in begin if name in hidden or name == "name"}
    names = [label_of(field.path) for field in nested]
    tabs = st.tabs([*names, "Settings"] if plain else names) if nested else [st.container()]
    for tab, field in zip(tabs, nested, strict=False):
        with tab:
            draw = _several if get_origin(field.annotation) is tuple else _nested
            values[field.path] = draw(field, f"{key}.{field.path}", begin[field.path], columns)
    if plain:
        with tabs[-1]:
            values |= _grid(plain, key, begin, columns)
    try:
        return config.parse(values)
    except ConfigError as error:
        show_error(error)
        return None


def defaults(config: type[Config]) -> dict[str, Any]:
    """The defaults of every field as plain values."""
    return config().model_dump(mode="json")


def nested_configs(field: ConfigField) -> tuple[type[Config], ...]:
    """The config classes a field holds, or chooses one or several from; () for a plain field."""
    if field.choices_of_config:
        return field.choices_of_config
    held = field.annotation
    if get_origin(held) is tuple:
        held = get_args(held)[0]
        while get_origin(held) is not None and get_origin(held) not in (Union, UnionType):
            held = get_args(held)[0]  # out of Annotated
    members = get_args(held) if get_origin(held) in (Union, UnionType) else (held,)
    return tuple(c for c in members if isinstance(c, type) and issubclass(c, Config))


def label_of(path: str) -> str:
    """A field's name as a label: ``learning_rate`` becomes ``Learning rate``."""
    words = path.rsplit(".", 1)[-1].replace("_", " ")
    return words[:1].upper() + words[1:]


def _nested(field: ConfigField, key: str, begin: Any, columns: int) -> dict[str, Any] | None:
    """A config inside the config: which one, where there is a choice, then its own settings."""
    classes = nested_configs(field)
    chosen = classes[0]
    if field.choices and (len(classes) > 1 or field.optional):
        names = [NONE] * field.optional + [choice_name(c) for c in classes]
        now = begin["name"] if begin else NONE
        name = st.selectbox(
            label_of(field.path), names, index=names.index(now), help=field.help, key=key,
            width=320, persist_state="session", bind="query-params",
        )  # fmt: skip
        if name == NONE:
            return None
        chosen = next(c for c in classes if choice_name(c) == name)
        st.caption(summary_of(chosen))
        key = f"{key}.{name}"
    same = begin is not None and ("name" not in begin or begin["name"] == choice_name(chosen))
    start = begin if same else defaults(chosen)
    values = {"name": start["name"]} if "name" in start else {}
    inner = fields_of(chosen, deep=False)
    own = [f for f in inner if f.path != "name" and not nested_configs(f)]
    values |= _grid(own, key, start, columns)
    for deeper in (f for f in inner if nested_configs(f)):
        with st.container(border=True):
            values[deeper.path] = _nested(
                deeper, f"{key}.{deeper.path}", start[deeper.path], columns
            )
    return values


def _several(
    field: ConfigField, key: str, begin: list[dict[str, Any]], columns: int
) -> list[dict[str, Any]]:
    """Several configs out of a choice: pills for which, then each one's own settings."""
    by_name = {choice_name(c): c for c in nested_configs(field)}
    names = st.pills(
        label_of(field.path),
        list(by_name),
        selection_mode="multi",
        default=[value["name"] for value in begin],
        help=field.help,
        key=key,
        persist_state="session",
        bind="query-params",
    )
    values = []
    for name in names:
        start = next((v for v in begin if v["name"] == name), None) or defaults(by_name[name])
        with st.container(border=True):
            st.markdown(f"**{name}**: {summary_of(by_name[name])}")
            own = [f for f in fields_of(by_name[name], deep=False) if f.path != "name"]
            values.append({"name": name} | _grid(own, f"{key}.{name}", start, columns))
    return values


def summary_of(config: type[Config]) -> str:
    """The first paragraph of a config class's docstring."""
    return " ".join((config.__doc__ or "").split("\n\n")[0].split())


def _grid(
    fields: list[ConfigField], key: str, begin: Mapping[str, Any], columns: int
) -> dict[str, Any]:
    values = {}
    for start in range(0, len(fields), columns):
        row = fields[start : start + columns]
        for place, field in zip(st.columns(columns), row, strict=False):
            with place:
                values[field.path] = field_widget(field, f"{key}.{field.path}", begin[field.path])
    return values


def field_widget(field: ConfigField, key: str, value: Any) -> Any:
    """One plain setting's widget; returns its value as the config takes it."""
    label, kind = label_of(field.path), field.annotation
    common: dict[str, Any] = {
        "help": field.help or None, "key": key, "persist_state": "session", "bind": "query-params",
    }  # fmt: skip
    if field.choices:
        names = [NONE] * field.optional + list(field.choices)
        now = NONE if value is None else str(value)
        picked = st.selectbox(label, names, index=names.index(now), **common)
        return None if picked == NONE and field.optional else _as_literal(kind, picked)
    if get_origin(kind) is tuple:
        return _tuple_widget(field, label, value, common)
    if kind is bool:
        return st.toggle(label, value=bool(value), **common)
    if kind in (int, float):
        return st.number_input(
            label,
            value=None if value is None else kind(value),
            min_value=_limit(kind, field.minimum),
            max_value=_limit(kind, field.maximum),
            step=_step(kind, value),
            format="%d" if kind is int else "%g",
            placeholder=NONE,
            **common,
        )
    text = st.text_input(label, value="" if value is None else str(value), **common)
    return None if field.optional and not text.strip() else text


def _tuple_widget(field: ConfigField, label: str, value: Any, common: dict[str, Any]) -> Any:
    """Several of a fixed set as pills; any others as text separated by commas."""
    inner = get_args(field.annotation)[0]
    if get_origin(inner) is Literal:
        names = [str(name) for name in get_args(inner)]
        return tuple(st.pills(label, names, selection_mode="multi", default=list(value), **common))
    shown = (
        "" if value is None else ", ".join(f"{v:g}" if inner is float else str(v) for v in value)
    )
    common["help"] = f"{common['help'] or ''} Separate several by commas.".strip()
    text = st.text_input(label, value=shown, placeholder=NONE, **common)
    if field.optional and not text.strip():
        return None
    return tuple(_parse(inner, text))


def _parse(kind: Any, text: str) -> Iterator[Any]:
    for part in (p.strip() for p in text.split(",")):
        if not part:
            continue
        try:
            yield kind(part) if kind in (int, float) else part
        except ValueError:
            yield part  # the config says what is wrong with it


def _as_literal(kind: Any, picked: str) -> Any:
    """The Literal's own value (perhaps a number) of the name that was picked."""
    return next((v for v in get_args(kind) if str(v) == picked), picked)


def _limit(kind: type, limit: float | None) -> Any:
    return None if limit is None else kind(limit)


def _step(kind: type, value: Any) -> Any:
    if kind is int:
        return 1
    return abs(value) / 10 if value else 0.01
