"""Quantised features: every value rounded to a grid."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.features import Features
from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import LengthConfig, Pointwise
from engine.data.perturbations.units import Risk


class QuantiseConfig(LengthConfig):
    """Each value is rounded to a multiple of a step, as in a compressed feature store."""

    title: ClassVar[str] = "Quantisation"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["quantise"] = "quantise"

    @property
    def is_drawn(self) -> bool:
        return False

    @property
    def strength_unit(self) -> str:
        return "expected " + super().strength_unit + " (rounding step: sqrt(12 / F) of that)"

    def path(self, table: FeatureTable, seed: int, draw: int) -> Pointwise:
        """Rounding to steps of q errs by q / sqrt(12) a coordinate (uniform error), so a step of
        ``sqrt(12 / F) * s * l_i`` changes a row by an expected length of s l_i, as noise would."""
        del seed, draw  # rounding is not drawn
        items = table.items(self)

        def round_at(strength: float) -> Features:
            features: Features = {}
            for m in table.modalities(self):
                lengths = table.lengths(m, items, "l2", self.unit)[:, None]
                step = strength * lengths * (12 / table.width(m)) ** 0.5
                x = table.rows(m, items)
                features[m] = torch.where(step > 0, torch.round(x / step) * step, x)
            return features

        return Pointwise(items, round_at)
