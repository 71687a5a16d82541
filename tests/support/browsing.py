"""The served app and the browser of the tests, and what a page is like at rest."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--enable-unsafe-swiftshader",
]
PATIENCE_MS = 180_000
"""Milliseconds that anything on a page may take; it usually takes a moment."""

QUIET = """() => !document.querySelector('[data-testid="stSpinner"]')
    && !document.querySelector('[data-testid="stStatusWidget"]')
    && !document.querySelector('[data-stale="true"]')"""
FAULTS = '[data-testid="stException"], [data-testid="stAlertContentError"]'


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``streamlit run app/main.py`` on an empty runs folder."""
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    port, folder = free_port(), tmp_path_factory.mktemp("dashboard")
    with open(folder / "streamlit.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "BASIN_RUNS": str(folder / "runs"), "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_served(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        stop_cluster(folder / "runs")


def wait_until_served(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def stop_cluster(runs: Path) -> None:
    from engine.jobs.cluster_address import cluster_is_alive, cluster_owner

    owner = cluster_owner(runs)
    if owner is not None and cluster_is_alive(runs):
        os.kill(owner.pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while owner.exists and time.monotonic() < deadline:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=PATIENCE_MS
        )
        yield started
        started.close()


def opened(browser, url: str, width: int = 1400, scheme: str = "light", height: int = 1000):
    """A page at rest, and the addresses outside this machine that it asked for."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.set_default_timeout(PATIENCE_MS)
    page.outside = []
    page.on(
        "request",
        lambda r: None if is_local(r.url) else page.outside.append(r.url),
    )
    page.goto(url)
    page.locator("h1").first.wait_for()
    settle(page)
    return page


def is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def settle(page) -> None:
    page.wait_for_timeout(1500)
    page.wait_for_function(QUIET)
    page.wait_for_timeout(1500)
