"""Nested settings as dotted names and texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat_values(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as dotted names and texts."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat_values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
