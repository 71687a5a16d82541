"""Plainly trained twins of runs, found in the runs folder: where transferred attacks come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.foundation.errors import BasinError
from engine.runs import RunStore

if TYPE_CHECKING:
    from engine.training import Trained


def open_plain_twins(store: RunStore, opened: Sequence[Trained]) -> list[Trained]:
    """Twins of the robustly trained runs that have none among themselves, one for each.

    A twin is a finished run of the same dataset, model, features and seed without any robust
    strategy. Runs that cannot be opened are passed over.
    """
    from engine.robustness.standard import is_plain, plain_twin
    from engine.runs.opened import open_run
    from engine.training import TrainConfig

    here = [trained.config for trained in opened]
    alone = [c for c in here if not is_plain(c) and plain_twin(c, here) is None]
    if not alone:
        return []
    runs = store.list()
    runs = runs[
        (runs["fingerprint"] == opened[0].dataset.fingerprint) & (runs["state"] == "finished")
    ]
    runs = runs[runs["seed"].isin({config.seed for config in alone})]
    candidates = []
    for run_id in runs["id"]:
        try:
            candidates.append((run_id, TrainConfig.parse(store.get(run_id).config)))
        except BasinError:
            continue
    configs = [config for _, config in candidates]
    places = {place for config in alone if (place := plain_twin(config, configs)) is not None}
    twins = []
    for place in sorted(places):
        try:
            twins.append(open_run(store.get(candidates[place][0]), opened[0].dataset))
        except BasinError:
            continue
    return twins
