"""The fixed sample of triples and users on which every point and every compared run is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset
from engine.evaluation import hits_among_top, metrics_of_hits
from engine.foundation.seeding import numpy_generator
from engine.geometry.quantities import is_metric
from engine.geometry.triples import frozen_triples
from engine.objectives import Triples


@dataclass(frozen=True)
class FixedSample:
    """What every point and every compared run is measured on."""

    dataset: Dataset
    triples: dict[str, Triples]
    """By split, as far as losses of it are asked for; ``train`` always."""
    users: np.ndarray
    """Users whose rankings are evaluated; empty where no metric is asked for."""

    @classmethod
    def draw(
        cls,
        dataset: Dataset,
        quantities: Sequence[str],
        n_triples: int | None,
        n_users: int | None,
        seed: int,
        device: torch.device,
    ) -> FixedSample:
        """Draw triples and users once, by the seed alone."""
        triples = {"train": frozen_triples(dataset, n_triples, seed, "train", device)}
        if "valid_loss" in quantities:
            triples["valid"] = frozen_triples(dataset, n_triples, seed, "valid", device)
        users = np.zeros(0, dtype=np.int64)
        if any(is_metric(q) for q in quantities):
            users = np.flatnonzero(np.diff(dataset.matrix("valid").indptr))
            if n_users is not None and n_users < len(users):
                chosen = numpy_generator(seed, "slice users").permutation(len(users))[:n_users]
                users = users[np.sort(chosen)]
        return cls(dataset, triples, users)


def validation_metrics(
    users_UD: Tensor, items_ID: Tensor, sample: FixedSample, names: list[str]
) -> dict[str, float]:
    """Metrics of the sample's users on the validation split, by quantity, train items left out."""
    cutoffs = tuple(sorted({int(name.split("@")[1]) for name in names}))
    hits = hits_among_top(users_UD, items_ID, sample.dataset, sample.users, "valid", cutoffs[-1])
    counts = np.diff(sample.dataset.matrix("valid").indptr)[sample.users]
    values = metrics_of_hits(hits, counts, cutoffs)
    return {name: float(values[name.removeprefix("robust_")].mean()) for name in names}
