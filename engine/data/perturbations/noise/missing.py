"""A missing modality: some items have no picture, no text, or neither."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.noise.donors import hit_thresholds
from engine.data.perturbations.perturbation import Replacement, ShareConfig
from engine.data.perturbations.units import Risk


class MissingConfig(ShareConfig):
    """The features of a share of items are absent and filled in."""

    title: ClassVar[str] = "Missing modality"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["missing"] = "missing"
    fill: Literal["zero", "mean"] = "zero"
    """What stands in: zeros, or the mean of all items' features."""

    def path(self, table: FeatureTable, seed: int, draw: int) -> Replacement:
        """Items lose their features in a random order, the same for each modality and run."""
        items = table.items(self)
        thresholds = torch.from_numpy(hit_thresholds(len(items), seed, draw))
        replaced: Features = {}
        for m in table.modalities(self):
            x_IF = table.features[m]
            fill_F = x_IF.mean(dim=0) if self.fill == "mean" else torch.zeros_like(x_IF[0])
            replaced[m] = fill_F.expand(len(items), -1)
        return Replacement(items, replaced, thresholds)
