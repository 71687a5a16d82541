"""The real app in Chromium: from an empty runs folder to every page filled, and how it looks."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.browsing import (
    FAULTS,
    opened,
    settle,
)

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SHOTS = Path(__file__).parent / "screenshots"
PAGES = ("", "train", "runs", "compare", "landscape", "curvature", "embeddings", "robustness")
DRAWN = ("", "compare", "landscape", "curvature", "embeddings", "robustness")
DEMONSTRATION_SECONDS = 900
"""Generous: it takes well under a minute on two free cores, but tests share theirs."""


def wait_for_chart(page) -> None:
    drawn = page.locator(".js-plotly-plot svg.main-svg, .js-plotly-plot canvas")
    drawn.first.wait_for(state="attached")
    page.wait_for_timeout(500)


def photograph(page, name: str) -> None:
    """The whole page, however long, as one picture."""
    SHOTS.mkdir(exist_ok=True)
    size = page.viewport_size
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": min(height + 20, 6000)})
    page.wait_for_timeout(1500)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.set_viewport_size(size)


def assert_sound(page, charts: bool) -> None:
    faults = page.locator(FAULTS)
    assert faults.count() == 0, faults.first.inner_text()
    assert page.outside == []
    if charts:
        wait_for_chart(page)


def test_the_first_screen_has_a_title_products_and_one_button(address, browser) -> None:
    page = opened(browser, address)
    assert page.locator("h1").inner_text() == "See why a recommender breaks"
    page.locator(".basin-card img").nth(11).wait_for(state="attached")
    assert_sound(page, charts=False)  # charts are behind tabs until there are runs
    photograph(page, "first-screen")
    page.close()


def test_the_demonstration_fills_every_page(address, browser) -> None:
    page = opened(browser, address)
    page.get_by_role("button", name="Run the demonstration").click()
    page.get_by_text("Under a small one-step attack on the features").wait_for(
        timeout=DEMONSTRATION_SECONDS * 1000
    )
    settle(page)
    assert page.get_by_text("Under a small one-step attack on the features").count() == 1
    page.close()
    for name in PAGES:
        page = opened(browser, address + name)
        assert_sound(page, charts=name in DRAWN)
        assert page.get_by_role("button", name="Compute").count() == 0
        photograph(page, name or "overview")
        page.close()


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_every_page_looks_right_in_the_dark_and_on_a_phone(address, browser, look: str) -> None:
    for name in PAGES:
        width, scheme = (390, "light") if look == "phone" else (1400, "dark")
        page = opened(browser, address + name, width, scheme)
        assert_sound(page, charts=name in DRAWN)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
        photograph(page, f"{look}-{name or 'overview'}")
        page.close()


def test_hovering_over_a_point_shows_its_picture(address, browser) -> None:
    page = opened(browser, address + "embeddings")
    wait_for_chart(page)
    place = page.evaluate("""() => {
        const chart = document.querySelector('.js-plotly-plot');
        const layout = chart._fullLayout, frame = chart.getBoundingClientRect();
        const trace = chart.calcdata[0][0].trace, about = chart._fullData[0];
        const x = about._input.x._inputArray || about.x, y = about._input.y._inputArray || about.y;
        return [frame.left + layout.xaxis._offset + layout.xaxis.l2p(x[0]),
                frame.top + layout.yaxis._offset + layout.yaxis.l2p(y[0])];
    }""")
    card = page.locator(".basin-hover")
    for _ in range(20):  # a chart that is drawn anew at that moment forgets the pointer
        page.mouse.move(place[0] - 30, place[1] - 30)
        page.mouse.move(*place)
        with suppress(playwright.TimeoutError):
            card.wait_for(state="visible", timeout=5_000)
            break
    assert card.locator(".picture").count() == 1
    assert card.locator("strong").inner_text() != ""
    page.screenshot(path=SHOTS / "hover.png")
    page.close()


def test_the_slider_answers_at_once(address, browser) -> None:
    page = opened(browser, address + "robustness")
    wait_for_chart(page)
    slider = page.get_by_role("slider", name="Strength").first
    read = "document.querySelector('.st-key-knob-chart .js-plotly-plot').data[2].x[0]"
    slider.focus()
    seconds = []
    for _ in range(4):
        before = page.evaluate(read)
        started = time.monotonic()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"{read} !== {before}")
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 5  # the goal is 0.3 s on two free cores
    page.close()


def test_a_link_opens_the_same_view_again(address, browser) -> None:
    page = opened(browser, address + "landscape")
    page.get_by_role("radio", name="Line").or_(page.get_by_text("Line", exact=True)).first.click()
    settle(page)
    again = opened(browser, page.url)
    assert again.get_by_text("Show the change from each run's own value").count() == 1
    page.close()
    again.close()
