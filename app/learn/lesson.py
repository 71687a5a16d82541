"""What a lesson is made of: steps to predict, act, see, explain and write down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StepKind = Literal["predict", "act", "see", "explain", "formula"]

TITLES: dict[StepKind, str] = {
    "predict": "Predict",
    "act": "Try it",
    "see": "What to see",
    "explain": "Why",
    "formula": "In symbols",
}


@dataclass(frozen=True)
class Choice:
    """One answer to a question, and what is said to who chose it."""

    text: str
    reply: str
    is_right: bool = False


@dataclass(frozen=True)
class Play:
    """The playground with these settings, and the controls in sight."""

    settings: Mapping[str, Any]
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture of the demonstration's runs: a function of ``app.learn.pictures``, by name."""

    name: str


@dataclass(frozen=True)
class Step:
    """One step of a lesson: words beside a picture that stays from step to step."""

    kind: StepKind
    text: str
    choices: tuple[Choice, ...] = ()
    """Of a ``predict`` step; exactly one is right."""
    picture: Play | Picture | None = None
    """None: the picture of the step before."""
    page: str = ""
    """The page that shows this for one's own runs, e.g. 'landscape'."""


@dataclass(frozen=True)
class Lesson:
    """One lesson of five to eight minutes."""

    key: str
    title: str
    minutes: int
    steps: tuple[Step, ...] = field(repr=False)

    def picture_at(self, number: int) -> Play | Picture | None:
        """The picture that stands beside a step: its own, or the last one before it."""
        for step in reversed(self.steps[: number + 1]):
            if step.picture is not None:
                return step.picture
        return None
