"""Frozen triples: the same ones for every point of a slice, every HVP and every run compared."""

from __future__ import annotations

import torch

from engine.data import Dataset
from engine.data.dataset import Split
from engine.data.negatives import NegativeSampler
from engine.foundation.errors import ConfigError
from engine.foundation.seeding import torch_generator
from engine.objectives import Triples


def frozen_triples(
    dataset: Dataset,
    n_triples: int | None = None,
    seed: int = 0,
    split: Split = "train",
    device: torch.device | str = "cpu",
) -> Triples:
    """Pairs of ``split``, each with one fixed negative, sorted by user: int64 [T] each.

    ``n_triples`` pairs are drawn without replacement; all are taken for None or where there are
    no more. Negatives are items without a training interaction of the user. Draws are made on the
    CPU, so every device gets the same triples. Raises ConfigError where the split is empty or
    ``n_triples`` < 1.
    """
    pairs = dataset.interactions(split)
    if len(pairs) == 0:
        raise ConfigError(
            f"dataset '{dataset.name}' has no {split} interactions, so there is no {split} loss."
        )
    if n_triples is not None and n_triples < 1:
        raise ConfigError(f"n_triples is {n_triples}; at least 1 is needed, or none for all.")
    users, items = torch.tensor(pairs.users), torch.tensor(pairs.items)
    if n_triples is not None and n_triples < len(users):
        draws = torch_generator(seed, f"frozen {split} pairs")
        chosen = torch.randperm(len(users), generator=draws)[:n_triples]
        users, items = users[chosen], items[chosen]
    order = torch.argsort(users * dataset.n_items + items)
    users, items = users[order], items[order]
    negatives = NegativeSampler(dataset).sample(
        users, torch_generator(seed, f"frozen {split} negatives")
    )
    return Triples(users.to(device), items.to(device), negatives.to(device))
