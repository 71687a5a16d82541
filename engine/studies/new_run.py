"""Making a queued run of a config on a dataset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.runs import Run, RunStore
from engine.runs.provenance import provenance_of

if TYPE_CHECKING:
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

    Raises DataError where the dataset cannot be read.
    """
    from engine.runs.opened import cached_dataset

    source = dataset
    if not dataset.startswith(("sample", "synthetic:")):
        source = os.path.abspath(os.path.expanduser(dataset))
    read = cached_dataset(source)
    provenance = provenance_of(read, seed=config.seed, device=config.device, command=command)
    provenance["dataset"]["source"] = source
    return store.create(config.model_dump(mode="json"), provenance, name=name, label=label)
