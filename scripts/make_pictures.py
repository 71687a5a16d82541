"""The README's pictures, taken of the real dashboard: ``python scripts/make_pictures.py ADDRESS``.

ADDRESS is that of a running dashboard whose demonstration has finished. Needs Playwright and
Chromium, as the browser tests do.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main(address: str) -> None:
    """Take one picture of the landscapes and one of the playground."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium") or "/usr/bin/chromium", args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        open_page(page, f"{address}/landscape")
        page.locator(".js-plotly-plot").first.wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=FOLDER / "landscape.png")
        open_page(page, f"{address}/playground")
        page.locator("[data-set=speed]").fill("120")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("() => +document.querySelector('.play .count').textContent > 300")
        page.get_by_role("button", name="Pause").click()
        page.screenshot(path=FOLDER / "playground.png")
        browser.close()


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(2000)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
