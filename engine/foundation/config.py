"""The base of every config class: frozen, strict, and able to describe itself.

A config is the only source of a choice's name, type, default, limits, unit and help text: the
command line, the widgets, the JSON in a run folder and the documentation are made from it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Self, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine.foundation.errors import ConfigError


class Config(BaseModel):
    """A frozen, strict record of choices. A docstring under each field is its help text."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values; raises ConfigError naming each bad field and what it allows."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(readable(error, cls.__name__)) from None

    def changed(self, overrides: Mapping[str, Any]) -> Self:
        """A copy with dotted fields replaced, e.g. ``{"objective.adversary.epsilon": 0.3}``.

        Giving a choice by name (``{"model": "lightgcn"}``) switches to that choice's defaults.
        """
        values = self.model_dump(mode="json")
        for path, value in overrides.items():
            _assign(type(self), values, path, value)
        return type(self).parse(values)


def _assign(owner: type[BaseModel], values: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node: Any = values
    for depth, key in enumerate(parents):
        if not isinstance(node, dict) or key not in node:
            raise ConfigError(_unknown(owner, ".".join(parents[: depth + 1]), path))
        if node[key] is None:
            raise ConfigError(
                f"'{path}' cannot be set because '{'.'.join(parents[: depth + 1])}' is not in use; "
                "name its kind first."
            )
        node = node[key]
    if not isinstance(node, dict) or last not in node:
        raise ConfigError(_unknown(owner, path, path))
    if isinstance(value, str) and value.lower() in {"none", "null"}:
        value = None
    if isinstance(value, str):
        field = next((f for f in fields_of(owner) if f.path == path), None)
        if field is not None and field.choices_of_config:
            value = _named_choice(field, value).model_dump(mode="json")
    node[last] = value


def _named_choice(field: ConfigField, name: str) -> Config:
    """The choice of that name with its defaults; raises ConfigError naming what is allowed."""
    known = {choice_name(choice): choice for choice in field.choices_of_config}
    if name in known:
        return known[name]()
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    allowed = ", ".join([*known, *(["none"] if field.optional else [])])
    raise ConfigError(f"{field.path} is '{name}'; allowed are {allowed}.{hint}")


def _unknown(owner: type[BaseModel], missing: str, path: str) -> str:
    known = ", ".join(f.path for f in fields_of(owner) if not f.path.endswith(".name"))
    return f"'{path}' is not a setting ('{missing}' is unknown). Settings: {known}."


def readable(error: ValidationError, owner: str) -> str:
    """One line a field: where, what was found, what is allowed."""
    lines = []
    for item in error.errors():
        where = "".join(f"{part}." for part in item["loc"]).rstrip(".")
        value = item.get("input")
        shown = "" if isinstance(value, dict | BaseModel) else f" (found {value!r})"
        text = item["msg"].removeprefix("Value error, ")  # our own validators need no preface
        lines.append(f"{where}: {text}{shown}" if where else f"{text}{shown}")
    return f"{owner} is not valid: " + "; ".join(lines)


@dataclass(frozen=True)
class ConfigField:
    """One settable field as a form or a help page needs it."""

    path: str
    """Dotted path from the config's root."""
    annotation: Any
    """The field's type, without ``Annotated`` and without the None of an optional."""
    default: Any
    """Its default; ``None`` where the field has none."""
    help: str
    """Its docstring: meaning, unit, source."""
    choices: tuple[str, ...] = ()
    """Allowed names, for a Literal or for a choice between config classes."""
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    """Whether None is allowed."""
    choices_of_config: tuple[type[Config], ...] = ()
    """The config classes to choose from, keyed by their ``name`` field."""


def choice_name(config: type[BaseModel]) -> str:
    """The name by which a config class is chosen: the value of its Literal ``name`` field."""
    return str(get_args(config.model_fields["name"].annotation)[0])


def configs_by_name(choice: Any) -> dict[str, Any]:
    """The config classes of a choice between them (a union, or one class) by name."""
    return {choice_name(config): config for config in _members(choice)}


def fields_of(config: type[BaseModel], prefix: str = "", deep: bool = True) -> list[ConfigField]:
    """Every settable field of a config class; nested configs by dotted path.

    Where a field is a choice between config classes, the fields of each class follow it.
    """
    return list(_walk(config, prefix, deep))


def _walk(config: type[BaseModel], prefix: str, deep: bool) -> Iterator[ConfigField]:
    for name, info in config.model_fields.items():
        if name == "name" and get_origin(info.annotation) is Literal and prefix:
            continue
        annotation, optional = _without_none(info.annotation)
        configs = tuple(a for a in _members(annotation) if _is_config(a))
        path = f"{prefix}{name}"
        choices: tuple[str, ...] = ()
        if get_origin(annotation) is Literal:
            choices = tuple(str(a) for a in get_args(annotation))
        elif configs and all("name" in c.model_fields for c in configs):
            choices = tuple(choice_name(c) for c in configs)
        low, high = _limits(info)
        yield ConfigField(
            path=path,
            annotation=annotation,
            default=_default(info),
            help=" ".join((info.description or "").split()),
            choices=choices,
            minimum=low,
            maximum=high,
            optional=optional,
            choices_of_config=configs if choices else (),
        )
        if deep:
            for nested in configs:
                yield from _walk(nested, f"{path}.", deep)


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else value


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [a for a in get_args(annotation) if a is not type(None)]
        optional = len(members) < len(get_args(annotation))
        if len(members) == 1:
            return _without_none(members[0])[0], optional
        return Union[tuple(members)], optional  # noqa: UP007 - built from a tuple at run time
    return annotation, False


def _members(annotation: Any) -> Sequence[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _is_config(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _limits(info: FieldInfo) -> tuple[float | None, float | None]:
    low: float | None = None
    high: float | None = None
    for rule in info.metadata:
        if isinstance(rule, annotated_types.Ge):
            low = float(rule.ge)  # type: ignore[arg-type]  # numbers only in our configs
        if isinstance(rule, annotated_types.Gt):
            low = float(rule.gt)  # type: ignore[arg-type]  # as above
        if isinstance(rule, annotated_types.Le):
            high = float(rule.le)  # type: ignore[arg-type]  # as above
        if isinstance(rule, annotated_types.Lt):
            high = float(rule.lt)  # type: ignore[arg-type]  # as above
    return low, high
