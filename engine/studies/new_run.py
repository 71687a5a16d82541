"""Making a queued run of a config on a dataset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from engine.foundation.errors import RunError
from engine.runs import Run, RunStore
from engine.runs.provenance import provenance_of

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.training import TrainConfig


def create_run(
    store: RunStore,
    dataset: str,
    config: TrainConfig,
    name: str = "",
    label: str = "",
    command: list[str] | None = None,
) -> Run:
    """A queued run of ``config`` on the dataset at a path (or 'sample', 'synthetic:...').

    Raises DataError where the dataset cannot be read, RunError where ``start_from`` names no
    finished run of this dataset and model.
    """
    from engine.runs.opened import cached_dataset

    source = dataset
    if not dataset.startswith(("sample", "synthetic:")):
        source = os.path.abspath(os.path.expanduser(dataset))
    read = cached_dataset(source)
    provenance = provenance_of(read, seed=config.seed, device=config.device, command=command)
    provenance["dataset"]["source"] = source
    if config.start_from is not None:
        provenance["parent"] = parent_of(store, config, read)
    return store.create(config.model_dump(mode="json"), provenance, name=name, label=label)


def parent_of(store: RunStore, config: TrainConfig, dataset: Dataset) -> dict[str, Any]:
    """The provenance of the run that ``start_from`` names: its id, name and best epoch.

    Raises RunError where it has no chosen weights, or has another dataset or model.
    """
    parent = store.get(str(config.start_from))
    if parent.state not in ("finished", "diverged"):
        raise RunError(
            f"start_from names run {parent.id}, which is {parent.state}; training can start from "
            "the weights of a finished run only."
        )
    fingerprint = parent.provenance.get("dataset", {}).get("fingerprint")
    if fingerprint != dataset.fingerprint:
        raise RunError(
            f"start_from names run {parent.id}, trained on a dataset with fingerprint "
            f"{fingerprint}; '{dataset.name}' has {dataset.fingerprint}. Choose a run of this "
            "dataset."
        )
    theirs, ours = parent.config["model"], config.model.model_dump(mode="json")
    for setting in sorted(theirs.keys() | ours.keys()):
        if theirs.get(setting) != ours.get(setting):
            raise RunError(
                f"start_from names run {parent.id}, whose model.{setting} is "
                f"{theirs.get(setting)}; here it is {ours.get(setting)}. Choose a run of the same "
                "model, or its settings."
            )
    return {"run": parent.id, "name": parent.name, "best_epoch": parent.summary.get("best_epoch")}
