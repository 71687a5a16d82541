"""From a run folder back to a model that can be looked at. Imports torch, unlike the room."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from engine.data import Dataset
from engine.data.readers import read_dataset, source_place
from engine.foundation.devices import resolve_device
from engine.foundation.errors import RunError
from engine.runs.comparison.strategies import strategy_names
from engine.runs.run import Run
from engine.training import TrainConfig, Trained


def dataset_of(run: Run) -> Dataset:
    """The dataset a run was trained on, read again from where it was.

    Raises DataError where it cannot be read, RunError where it is not the same any more.
    """
    record = run.provenance.get("dataset", {})
    source = str(record.get("source", ""))
    if not source:
        raise RunError(
            f"run {run.id} does not say which dataset it was trained on; give the dataset."
        )
    dataset = cached_dataset(source)
    if dataset.fingerprint != record.get("fingerprint"):
        raise RunError(
            f"run {run.id} was trained on data with fingerprint {record.get('fingerprint')}, but "
            f"{source} now has {dataset.fingerprint}; put the old data back or train anew."
        )
    return dataset


def cached_dataset(source: str) -> Dataset:
    """Read a dataset once per process, and again only after its files changed."""
    return _read(source, _stamp(source))


def _stamp(source: str) -> tuple[tuple[str, int, int], ...]:
    if source.startswith("synthetic"):
        return ()
    folder = source_place(source)
    if not folder.exists():
        return ()
    files = [folder] if folder.is_file() else sorted(p for p in folder.iterdir() if p.is_file())
    return tuple((p.name, (s := os.stat(p)).st_mtime_ns, s.st_size) for p in files)


@lru_cache(maxsize=4)
def _read(source: str, stamp: tuple[tuple[str, int, int], ...]) -> Dataset:
    del stamp  # only part of the key
    return read_dataset(source)


def open_run(
    run: Run, dataset: Dataset | None = None, device: str = "auto", precision: str = ""
) -> Trained:
    """The run's model with the weights that validation chose, its dataset and features.

    ``precision`` overrides the run's, e.g. 'float64' for reference results. ``device`` auto is
    never an Apple GPU, which lacks the float64 sums and sparse products of the analyses. Raises
    RunError where the run has no weights yet, BasinError where they do not fit the dataset.
    """
    if device == "auto" and resolve_device().type == "mps":
        device = "cpu"
    config = TrainConfig.parse(run.config)
    return Trained.from_weights(
        config,
        run.weights(),
        dataset or dataset_of(run),
        label=run.name,
        run=run.id,
        device=device,
        precision=precision,
    )


def open_runs(runs: Sequence[Run], device: str = "auto", precision: str = "") -> list[Trained]:
    """Runs that are looked at together, each as ``open_run`` does, knowing its strategy."""
    opened = [open_run(run, device=device, precision=precision) for run in runs]
    names = strategy_names(runs)
    return [replace(each, strategy=name) for each, name in zip(opened, names, strict=True)]
