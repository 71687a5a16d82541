"""Mixing an item's features with another item's: inherent noise that looks like real content."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.noise.donors import Within, donors_of
from engine.data.perturbations.perturbation import Ray, ShareConfig
from engine.data.perturbations.units import Risk


class MixingConfig(ShareConfig):
    """Every chosen item's features become partly another item's."""

    title: ClassVar[str] = "Mixing with other items"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["mixing"] = "mixing"
    within: Within = "any"
    """Where the other item comes from: any category, the same, or another."""

    @property
    def strength_unit(self) -> str:
        return "share of the other item's features in the mixture"

    def path(self, table: FeatureTable, seed: int, draw: int) -> Ray:
        """``(1 - s) x_i + s x_donor(i)``; one donor an item, the same for each modality."""
        items = table.items(self)
        categories = table.dataset.items["category"].to_numpy(dtype=str)
        donors = torch.from_numpy(
            donors_of(table.dataset.n_items, categories, self.within, seed, draw)
        ).to(table.device)[items]
        clean = {m: table.rows(m, items) for m in table.modalities(self)}
        directions = {m: table.features[m].index_select(0, donors) - x for m, x in clean.items()}
        return Ray(items, clean, directions)
