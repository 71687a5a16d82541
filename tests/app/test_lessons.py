"""Lessons: their shape, their links, and the numbers they tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import app.views
from app.learn.lesson import Play
from app.learn.lessons import LESSONS
from app.learn.playground import PlaygroundSettings
from app.learn.playground.playground_settings import STARTS
from engine.foundation.errors import ConfigError

VIEWS = Path(app.views.__path__[0])


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_a_lesson_predicts_acts_sees_and_explains(lesson) -> None:
    kinds = [step.kind for step in lesson.steps]
    assert kinds[0] == "predict"
    assert {"see", "formula"} <= set(kinds)
    assert 5 <= lesson.minutes <= 8
    assert lesson.picture_at(0) is not None
    for step in lesson.steps:
        rights = sum(choice.is_right for choice in step.choices)
        assert rights == (1 if step.kind == "predict" else 0)
        assert not step.page or (VIEWS / f"{step.page}.py").is_file()
        if isinstance(step.picture, Play):
            settings = PlaygroundSettings.parse(step.picture.settings)
            fields = {*type(settings).model_fields}
            assert set(step.picture.controls) <= fields


def test_lessons_have_keys_of_their_own() -> None:
    keys = [lesson.key for lesson in LESSONS]
    assert len(set(keys)) == len(keys)


def bowl(w: float, x: float, width: float) -> float:
    """The one-weight landscape of lessons 1 and 2 near one minimum, without the weak pull."""
    return 1 - 0.8 * np.exp(-((w - x) ** 2) / (2 * width**2))


def test_the_rises_under_a_shift_that_lesson_2_tells() -> None:
    assert bowl(-1.5 + 0.3, -1.5, 0.25) - bowl(-1.5, -1.5, 0.25) == pytest.approx(0.41, abs=0.01)
    assert bowl(1.5 + 0.3, 1.5, 1.0) - bowl(1.5, 1.5, 1.0) == pytest.approx(0.035, abs=0.005)


def valley_after(alpha2: float, rate: float, steps: int = 300) -> float:
    """Top eigenvalue u^2 + v^2 where Mirror Gradient under SGD (plain: alpha2 0) ends."""
    w = np.array(STARTS["valley"])

    def gradient(w):
        return (w[0] * w[1] - 1) * w[::-1]

    for _ in range(steps):
        w = w - rate * gradient(w)
        w = w + alpha2 * rate * gradient(w)
    return float(w @ w)


def test_where_the_steppers_of_lesson_3_end() -> None:
    assert valley_after(0.0, 0.28) == pytest.approx(6.6, abs=0.05)
    assert valley_after(0.9, 0.28) == pytest.approx(2.06, abs=0.02)
    assert valley_after(0.2, 0.28) == pytest.approx(5.8, abs=0.05)
    assert valley_after(0.9, 0.1) == pytest.approx(valley_after(0.0, 0.1), abs=0.05)


def test_a_link_with_impossible_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="alpha2"):
        PlaygroundSettings.parse({"alpha1": 0.5, "alpha2": 0.9})
    with pytest.raises(ConfigError, match="landscape"):
        PlaygroundSettings.parse({"landscape": "<b>moon</b>"})
