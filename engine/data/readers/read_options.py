"""What every reader is told beside the path."""

from __future__ import annotations

from dataclasses import dataclass

from engine.data.splits import SplitConfig


@dataclass(frozen=True)
class ReadOptions:
    """How to read; a format ignores what does not concern it."""

    source: str = ""
    """The path or name as the user gave it, kept in ``Dataset.source``."""
    split: SplitConfig | None = None
    """How to split; None takes the file's own split or the format's default."""
    min_rating: float | None = None
    """Interactions rated lower are left out; None keeps all. Tables and Cornac only."""
    memory_map: bool | None = None
    """Whether features stay on disk; None maps files above 512 MiB."""
    seed: int = 0
    """Seed of a default split that draws at random."""
