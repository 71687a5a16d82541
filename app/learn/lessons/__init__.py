"""The lessons, in their order: one file each, one line here."""

from app.learn.lesson import Lesson
from app.learn.lessons import (
    adversary,
    flatness,
    loophole,
    minimum,
    mirror_gradient,
    misleading,
    own_minima,
    what_held,
)

LESSONS: tuple[Lesson, ...] = (
    minimum.LESSON,
    flatness.LESSON,
    mirror_gradient.LESSON,
    loophole.LESSON,
    misleading.LESSON,
    adversary.LESSON,
    own_minima.LESSON,
    what_held.LESSON,
)
