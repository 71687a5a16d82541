"""Features kept in fewer bits, as a real feature store may keep them."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.noise.donors import hit_thresholds
from engine.data.perturbations.perturbation import Replacement, ShareConfig
from engine.data.perturbations.units import Risk


class PrecisionConfig(ShareConfig):
    """The features of a share of items are stored in a smaller number format."""

    title: ClassVar[str] = "Smaller number format"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["precision"] = "precision"
    stored: Literal["bfloat16", "float16", "int8"] = "bfloat16"
    """The format; int8 has one scale a row, its largest absolute value / 127."""

    def path(self, table: FeatureTable, seed: int, draw: int) -> Replacement:
        """Items are converted in a random order, the same for each modality and run."""
        items = table.items(self)
        return Replacement(
            items,
            {m: self._convert(table.rows(m, items)) for m in table.modalities(self)},
            torch.from_numpy(hit_thresholds(len(items), seed, draw)),
        )

    def _convert(self, x: Tensor) -> Tensor:
        if self.stored == "int8":
            largest = x.abs().amax(dim=1, keepdim=True)
            step = torch.where(largest > 0, largest / 127, 1.0)
            return torch.round(x / step) * step
        return x.to(getattr(torch, self.stored)).to(x.dtype)
