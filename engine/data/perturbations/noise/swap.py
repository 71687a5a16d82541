"""Content swap: after training, some items show another item's picture or text."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.noise.donors import Within, donors_of, hit_thresholds
from engine.data.perturbations.perturbation import Replacement, ShareConfig
from engine.data.perturbations.units import Risk


class SwapConfig(ShareConfig):
    """A share of items gets another item's features: Mirror Gradient's information adjustment."""

    title: ClassVar[str] = "Content swap"
    risk: ClassVar[Risk] = "information adjustment"

    name: Literal["swap"] = "swap"
    within: Within = "any"
    """Whose features: an item of any category, of the same, or of another. Items without such a
    partner keep their own."""

    def path(self, table: FeatureTable, seed: int, draw: int) -> Replacement:
        """Items are hit in a random order, the same for each modality and run."""
        items = table.items(self)
        categories = table.dataset.items["category"].to_numpy(dtype=str)
        donors = donors_of(table.dataset.n_items, categories, self.within, seed, draw)
        chosen = torch.from_numpy(donors).to(table.device)[items]
        return Replacement(
            items,
            {m: table.features[m].index_select(0, chosen) for m in table.modalities(self)},
            torch.from_numpy(hit_thresholds(len(items), seed, draw)),
        )
