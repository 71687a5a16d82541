"""Dashboards are only clients: whatever happens to one, the work and its numbers stay."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.jobs import active_jobs, jobs, run_here
from engine.jobs.cluster_address import cluster_owner
from engine.runs import Run, RunStore
from engine.runs.ownership import Owner
from engine.studies.new_run import create_run
from engine.training import TrainConfig
from tests.support.clusters import embedded, until
from tests.support.dashboards import CHROMIUM, dashboard, opened, settle, visitor

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.processes,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]

DATA = "synthetic:users=1500,items=800,interactions=30000,image=32,text=16,seed=1"
EPOCHS = 30
EVERY = 4
"""Epochs between checkpoints."""


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver, visitor(driver) as started:
        yield started


@contextmanager
def held(process: Owner) -> Iterator[None]:
    """Keep a process as it is, so that nothing is over before it was looked at."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if process.exists:
            os.kill(process.pid, signal.SIGCONT)


def filled(browser: Any, address: str, settings: dict[str, int]) -> Any:
    """The Train page with some settings typed in."""
    page = opened(browser, address)
    box = page.get_by_role("combobox", name="Dataset")
    box.fill(DATA)
    box.press("Enter")
    settle(page)
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_text("All settings").click()
    page.get_by_role("tab", name="Settings").click()
    settle(page)
    for label, value in settings.items():
        page.get_by_label(label, exact=True).fill(str(value))
        page.keyboard.press("Tab")
        settle(page)
    return page


def train_from_the_page(browser: Any, address: str, store: RunStore) -> tuple[Run, Owner]:
    """Press Train as a visitor does, and wait until the run is past its second checkpoint.

    Returns the run and the worker that trains it.
    """
    page = filled(browser, address, {"Epochs": EPOCHS, "Checkpoint every": EVERY})
    page.get_by_role("button", name="Train", exact=True).click()
    until(lambda: len(store.list()) == 1)
    run = store.get(str(store.list()["id"][0]))
    assert (run.config["epochs"], run.config["checkpoint_every"]) == (EPOCHS, EVERY)
    until(lambda: len(run.events("epoch")) > 2 * EVERY + 1)
    worker = run.status.owner
    assert worker is not None
    return run, worker


def bar(page: Any) -> Any:
    return page.get_by_role("progressbar").first


def wait_for_bars(page: Any, count: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('[role=progressbar]').length === {count}")


def assert_like_undisturbed(run: Run, root: Path) -> None:
    """The same weights, events and metrics as the same config trained without a break."""
    store = RunStore(root)
    other = create_run(store, DATA, TrainConfig.parse(run.config))
    run_here(store, "train", {"run": other.id}, run_ids=[other.id])
    assert (run.state, other.state) == ("finished", "finished")
    expected = other.weights()
    assert run.weights().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in run.weights().items())
    for key in ("best_epoch", "valid", "test", "gradient_passes"):
        assert run.summary[key] == other.summary[key]
    assert run.events("epoch")["epoch"].tolist() == other.events("epoch")["epoch"].tolist()
    for column in ("loss", "valid.recall@20"):
        if column in other.events("epoch"):
            assert run.events("epoch")[column].tolist() == other.events("epoch")[column].tolist()


def test_training_goes_on_when_the_dashboard_is_killed_and_a_new_one_shows_it(
    tmp_path: Path, browser: Any
) -> None:
    with embedded(tmp_path / "runs") as store:
        with dashboard(store.root) as first:
            run, worker = train_from_the_page(browser, first.address, store)
            with held(worker):
                assert run.state == "running"
                first.kill()
        seen = len(run.events("epoch"))
        until(lambda: len(run.events("epoch")) > seen)
        with held(worker), dashboard(store.root) as second:
            assert run.state == "running"
            page = opened(browser, second.address + "train")
            bar(page).wait_for()
            page.get_by_text(re.compile("plain.*: epoch")).wait_for()
            os.kill(worker.pid, signal.SIGCONT)
            page.get_by_text(re.compile("plain.* finished")).wait_for()
        assert_like_undisturbed(run, tmp_path / "undisturbed")


def test_with_the_cluster_killed_too_the_page_says_so_and_resumes_to_the_same_numbers(
    tmp_path: Path, browser: Any
) -> None:
    with embedded(tmp_path / "runs") as store:
        with dashboard(store.root) as first:
            run, worker = train_from_the_page(browser, first.address, store)
            owner = cluster_owner(store.root)
            assert owner is not None
            with held(worker):
                assert run.state == "running"
                os.kill(owner.pid, signal.SIGKILL)
                first.kill()
        until(lambda: run.state == "interrupted")
        assert active_jobs(store) == []
        kept = len(run.events("epoch"))
        with dashboard(store.root) as second:
            page = opened(browser, second.address + "train")
            page.get_by_text(re.compile("plain.* was interrupted")).wait_for()
            page.get_by_role("button", name="Resume", exact=True).click()
            page.get_by_text(re.compile("plain.* finished")).wait_for()
            assert page.get_by_text("was interrupted").count() == 0
        assert EVERY < kept < EPOCHS
        assert [job.status().state for job in jobs(store)] == ["finished", "interrupted"]
        assert_like_undisturbed(run, tmp_path / "undisturbed")


def test_two_dashboards_on_one_folder_share_cluster_and_runs(tmp_path: Path, browser: Any) -> None:
    with (
        embedded(tmp_path / "runs") as store,
        dashboard(store.root) as first,
        dashboard(store.root) as second,
    ):
        pages = [
            filled(browser, served.address, {"Epochs": 100_000, "Patience": 100_000})
            for served in (first, second)
        ]
        for page in pages:
            page.get_by_role("button", name="Train", exact=True).click()
        until(lambda: len(store.list()) == 2)
        for page in pages:
            wait_for_bars(page, 2)
        owner = until(lambda: cluster_owner(store.root))  # jobs queue while it starts
        for page, left in zip(pages, (2, 1), strict=True):
            wait_for_bars(page, left)  # the other's stop is seen here
            page.get_by_role("button", name="Stop").first.click()
        until(lambda: not active_jobs(store))
        # Whoever ends a run whose worker had to be killed may take a moment for it.
        until(lambda: set(store.list()["state"]) == {"cancelled"})
        assert cluster_owner(store.root) == owner
