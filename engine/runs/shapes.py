"""What the records of a run may hold: which fields are texts, numbers, lists or objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEEPEST = 32
"""How deep values may be nested."""

LARGEST = 2**63
"""Whole numbers stay below it, as tables hold 64 bits."""

MOST_VALUES = 10_000
"""Values in one record; a run's have some hundred."""

_NUMBER = (int, float, type(None))  # null is how NaN is kept
_KINDS: dict[str, tuple[type, ...]] = {
    "a text": (str,),
    "a number": _NUMBER,
    "true or false": (bool,),
    "an object": (dict,),
    "a list of texts": (),
    "an object of numbers": (),
}

SHAPES: dict[str, dict[str, str]] = {
    "config.json": {"config": "an object"},
    "provenance.json": {
        "dataset": "an object",
        "dataset.name": "a text",
        "dataset.source": "a text",
        "dataset.fingerprint": "a text",
        "code": "an object",
        "packages": "an object",
        "seed": "a number",
        "device": "a text",
        "command": "a list of texts",
    },
    "labels.json": {
        "name": "a text",
        "note": "a text",
        "tags": "a list of texts",
        "star": "true or false",
    },
    "status.json": {
        "state": "a text",
        "reason": "a text",
        "created": "a text",
        "started": "a text",
        "ended": "a text",
        "waits_for": "a text",
    },
    "summary.json": {
        "best_epoch": "a number",
        "gradient_passes": "a number",
        "seconds": "a number",
        "valid": "an object of numbers",
        "test": "an object of numbers",
    },
}
"""By record: what each field is where it is there. Other fields hold any JSON."""


def wrong_shape(record: str, values: Mapping[str, Any]) -> str:
    """What is wrong with a record's values, naming the field; '' where nothing is."""
    for field, kind in SHAPES.get(record, {}).items():
        holder: Any = values
        *parents, last = field.split(".")
        for parent in parents:
            holder = holder.get(parent, {})
        if last in holder and not _is(holder[last], kind):
            return f"'{field}' is {_short_text(holder[last])}, not {kind}"
    return _wrong_value(values)


def _is(value: Any, kind: str) -> bool:
    if kind == "a list of texts" and isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if kind == "an object of numbers" and isinstance(value, dict):
        return all(_is(item, "a number") for item in value.values())
    is_bool = isinstance(value, bool)
    return isinstance(value, _KINDS[kind]) and is_bool == (kind == "true or false")


def _short_text(value: Any) -> str:
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}..."


def _wrong_value(values: Mapping[str, Any]) -> str:
    """What no field may hold: deep nesting, huge numbers, text that no file can keep."""
    n_values = 0
    waiting: list[tuple[Any, int]] = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        n_values += 1
        if depth > DEEPEST:
            return f"values are nested more than {DEEPEST} deep"
        if n_values > MOST_VALUES:
            return f"it holds more than {MOST_VALUES:,} values"
        if isinstance(value, dict):
            waiting += [(item, depth + 1) for item in value.values()]
            waiting += [(name, depth + 1) for name in value]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, int) and not -LARGEST < value < LARGEST:
            return "a whole number is beyond 64 bits"
        elif isinstance(value, str) and not value.isascii() and not _is_unicode(value):
            return "a text holds half of a character pair (a lone surrogate)"
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
