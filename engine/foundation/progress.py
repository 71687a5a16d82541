"""How long work tells how far it is, and how it learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done; raises Cancelled to stop the work."""

T = TypeVar("T")


def silent(share: float, message: str = "") -> None:
    """A progress nobody watches."""


def part(progress: Progress, start: float, end: float, prefix: str = "") -> Progress:
    """The progress of one part that fills ``start`` to ``end`` of the whole."""

    def inner(share: float, message: str = "") -> None:
        progress(start + (end - start) * share, f"{prefix}{message}")

    return inner


def track(items: Sequence[T], progress: Progress, message: str) -> Iterator[T]:
    """Yield each item, reporting before each one and at the end."""
    for index, item in enumerate(items):
        progress(index / max(len(items), 1), f"{message} {index + 1}/{len(items)}")
        yield item
    progress(1.0, message)
