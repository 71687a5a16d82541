"""Command line options made from config classes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from engine.foundation.config import Config, ConfigField, fields_of
from engine.foundation.errors import ConfigError

UNSET = object()
"""Stands for an option that was not given."""


def add_config_options(parser: argparse.ArgumentParser, config: type[Config]) -> None:
    """One option for each field, nested ones dotted, e.g. ``--objective.adversary.epsilon``."""
    group = parser.add_argument_group(f"settings ({config.__name__})")
    merged: dict[str, list[ConfigField]] = {}
    for field in fields_of(config):
        if field.choices_of_config or not _is_nested(field):
            merged.setdefault(field.path, []).append(field)
    for path, fields in merged.items():
        group.add_argument(
            *dict.fromkeys((f"--{path}", f"--{path.replace('_', '-')}")),
            dest=f"config:{path}",
            metavar=_placeholder(fields[0]),
            default=UNSET,
            help=_help(fields).replace("%", "%%"),
        )


def _is_nested(field: ConfigField) -> bool:
    annotation = field.annotation
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _placeholder(field: ConfigField) -> str:
    if field.choices:
        choices = [*field.choices, "none"] if field.optional else list(field.choices)
        return "{" + ",".join(choices) + "}"
    if get_origin(field.annotation) is tuple:
        return "A,B,..."
    return getattr(field.annotation, "__name__", "VALUE").upper()


def _help(fields: list[ConfigField]) -> str:
    texts = list(dict.fromkeys(f.help for f in fields if f.help))
    defaults = list(dict.fromkeys(_as_text(f.default) for f in fields))
    return f"{' / '.join(texts)} (default: {' or '.join(defaults)})"


def _as_text(default: Any) -> str:
    if isinstance(default, Config):
        name = getattr(default, "name", None)
        return str(name) if name else "see its settings"
    if isinstance(default, tuple | list):
        return ",".join(str(getattr(d, "name", d)) for d in default) or "empty"
    return "none" if default is None else str(default)


def chosen_settings(arguments: argparse.Namespace, config: type[Config]) -> dict[str, Any]:
    """The settings that were given, by dotted path, choices before what they choose between.

    Raises ConfigError where a list is given to a field that takes none.
    """
    kinds = {field.path: field for field in fields_of(config)}
    settings: dict[str, Any] = {}
    for key, value in vars(arguments).items():
        if key.startswith("config:") and value is not UNSET:
            path = key.removeprefix("config:")
            settings[path] = parse_value(kinds[path], value)
    return dict(sorted(settings.items(), key=lambda item: item[0].count(".")))


def parse_value(field: ConfigField, text: str) -> Any:
    """A field's value from its text: ``none``, a comma-separated list, or as it stands."""
    if text.lower() in {"none", "null"} and field.optional:
        return None
    if get_origin(field.annotation) is tuple:
        if not get_args(field.annotation):
            raise ConfigError(f"{field.path} takes no list.")
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def refuse_settings_without_use(config: Config, settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a setting of a part of the config that has no kind, so is not used."""
    for path in settings:
        parent, _, name = path.rpartition(".")
        part: Any = config
        for key in parent.split(".") if parent else ():
            part = getattr(part, key, None)
        if name != "kind" and "kind" in getattr(type(part), "model_fields", {}) and not part.kind:
            raise ConfigError(f"--{path} does nothing without --{parent}.kind; name a kind.")
