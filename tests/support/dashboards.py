"""Tools of the tests that kill dashboards: real Streamlit servers, and a visitor in Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

PATIENCE_MS = 180_000
"""Milliseconds that anything on a page may take on a busy machine."""


class Dashboard:
    """``streamlit run app/main.py`` on a runs folder."""

    def __init__(self, runs: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
        command += ["--server.port", str(port), "--server.headless", "true"]
        path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "BASIN_RUNS": str(runs), "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(self.address + "_stcore/health", timeout=2).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the dashboard does not answer"
                time.sleep(0.1)

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()


@contextmanager
def dashboard(runs: Path) -> Iterator[Dashboard]:
    """A dashboard that is gone afterwards, whatever happened to it."""
    served = Dashboard(runs)
    try:
        yield served
    finally:
        served.kill()


@contextmanager
def visitor(driver: Any) -> Iterator[Any]:
    """A Chromium in which pages can be opened."""
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS)
    try:
        yield browser
    finally:
        browser.close()


def opened(browser: Any, address: str) -> Any:
    """A page once its title is drawn."""
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator("h1").first.wait_for()
    return page


def settle(page: Any) -> None:
    """Wait until the page has been drawn anew after a change."""
    page.wait_for_timeout(500)
    page.wait_for_function("""() => !document.querySelector('[data-testid="stSpinner"]')
        && !document.querySelector('[data-testid="stStatusWidget"]')
        && !document.querySelector('[data-stale="true"]')""")
