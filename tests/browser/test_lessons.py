"""Every lesson, walked in a browser: wrong answers, right answers, and the way on."""

from __future__ import annotations

import pytest

from app.learn.lessons import LESSONS
from tests.support.browsing import FAULTS, opened, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.key)
def test_a_lesson_is_walked_to_its_end(browser, address, lesson) -> None:
    page = opened(browser, f"{address}learn?lesson={lesson.key}&step=1", width=1280, height=800)
    for number, step in enumerate(lesson.steps, 1):
        page.get_by_text(f"step {number} of {len(lesson.steps)}").wait_for()
        on = page.get_by_role("button", name="Next" if number < len(lesson.steps) else "Finish")
        if step.choices:
            assert on.is_disabled()
            for choice in sorted(step.choices, key=lambda choice: choice.is_right):
                page.get_by_text(choice.text, exact=True).click()
                reply = "Not quite." if not choice.is_right else choice.reply[:20]
                page.get_by_text(reply).first.wait_for()
        page.wait_for_function("(b) => !b.disabled", arg=on.element_handle())
        assert page.locator(FAULTS).count() == 0
        on.click()
    page.wait_for_url(f"**done=*{lesson.key}*")
    page.close()


def test_a_lesson_fits_one_screen(browser, address) -> None:
    for lesson in LESSONS:
        page = opened(browser, f"{address}learn?lesson={lesson.key}&step=2", width=1280, height=800)
        settle(page)
        height = page.evaluate(
            """() => Math.max(...[...document.querySelectorAll('.stMainBlockContainer *')]
                .filter((e) => e.offsetParent).map((e) => e.getBoundingClientRect().bottom))"""
        )
        assert height <= 800, f"{lesson.key}: {height:.0f} px"
        page.close()


def test_the_playground_plays_and_its_address_reproduces_it(browser, address) -> None:
    page = opened(browser, f"{address}playground", width=1280, height=800)
    page.get_by_role("radio", name="Sharp and flat, one weight").check()
    page.get_by_role("checkbox", name="SAM").check()
    page.get_by_role("button", name="One step").click()
    page.wait_for_function("() => document.querySelector('.play .count').textContent === '1'")
    page.locator(".play canvas").focus()
    page.keyboard.press("s")
    page.wait_for_function("() => document.querySelector('.play .count').textContent === '2'")
    page.wait_for_url("**play=*one-weight*sam*")
    again = opened(browser, page.url, width=1280, height=800)
    assert again.get_by_role("radio", name="Sharp and flat, one weight").is_checked()
    assert again.get_by_role("checkbox", name="SAM").is_checked()
    assert again.locator(FAULTS).count() == 0
    page.close()
    again.close()


def test_a_broken_link_to_the_playground_is_one_sentence(browser, address) -> None:
    page = opened(browser, f'{address}playground?play={{"rate":"<b>fast</b>"}}')
    text = page.locator('[data-testid="stAlertContentError"]').first.inner_text()
    assert "rate" in text
    assert page.locator('[data-testid="stException"]').count() == 0
    page.close()
