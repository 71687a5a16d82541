"""A runs folder with tiny finished runs and their analyses, made once for all page tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.jobs import run_here
from engine.runs import RunStore
from engine.studies.new_run import create_run
from engine.training import preset

DATA = "synthetic:users=60,items=40,interactions=900,image=12,text=8,seed=1"

SMALL: dict[str, dict] = {
    "profile": {},
    "slice": {},
    "curvature": {},
    "robustness": {},
    "attacks": {},
    "embed": {},
    "align": {},
    "path": {"n_steps": 5, "n_points": 5},
    "symmetry": {"n_draws": 1, "n_triples": 200},
}
"""Settings of each analysis: what the pages ask for when they are opened."""


def train(store: RunStore, name: str, seed: int = 0) -> str:
    """A finished run of a preset, in moments."""
    settings = {"epochs": 12, "batch_size": 128, "optimiser.learning_rate": 0.02}
    config = preset(name, settings | {"seed": seed, "device": "cpu"})
    config = config.changed({"model.width": 8})
    if config.objective.adversary is not None:
        config = config.changed({"objective.adversary.warm_start_epochs": 1})
    run = create_run(store, DATA, config, f"{name}, seed {seed}" if seed else name)
    job = run_here(store, "train", {"run": run.id}, run_ids=[run.id])
    assert job.status().state == "finished", job.status().reason
    return run.id


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, every analysis of them, and nothing running."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runs = [train(store, "plain"), train(store, "amr")]
    for kind, config in SMALL.items():
        single = kind in ("curvature", "embed", "symmetry")
        for names in [[run] for run in runs] if single else [runs]:
            job = run_here(store, kind, {"runs": names, "config": config}, run_ids=names)
            assert job.status().state == "finished", f"{kind}: {job.status().reason}"
    return store.root


@pytest.fixture
def trained(trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """The folder with runs, as the pages see it."""
    monkeypatch.setenv("BASIN_RUNS", str(trained_folder))
    return RunStore(trained_folder)


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """An empty runs folder."""
    monkeypatch.setenv("BASIN_RUNS", str(tmp_path / "runs"))
    return RunStore(tmp_path / "runs")
