"""The lessons, in their order: one file each, one line here."""

from app.learn.lesson import Lesson
from app.learn.lessons import adversary, loophole, minimum, misleading, own_minima, what_held
from app.learn.lessons import mirror_step as mirror_gradient
from app.learn.lessons import why_flat as flatness

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
