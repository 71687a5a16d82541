"""The control of every attack: the same norm in a random direction."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.features import of_length
from engine.data.perturbations.feature_table import FeatureTable, normal
from engine.data.perturbations.perturbation import NormConfig, Ray
from engine.data.perturbations.units import Risk


class RandomDirectionConfig(NormConfig):
    """A random direction of exactly the asked norm: what an attack must beat to be one."""

    title: ClassVar[str] = "Random direction"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["random"] = "random"

    def path(self, table: FeatureTable, seed: int, draw: int) -> Ray:
        """L2: a direction uniform on the sphere; L-infinity: a random sign for each coordinate."""
        items = table.items(self)
        clean, directions = {}, {}
        for m in table.modalities(self):
            lengths = table.lengths(m, items, self.norm, self.unit)
            z = normal(table, m, items, seed, draw)
            clean[m] = table.rows(m, items)
            directions[m] = (
                of_length(z, lengths)
                if self.norm == "l2"
                else torch.where(z < 0, -1.0, 1.0).to(z) * lengths[:, None]
            )
        return Ray(items, clean, directions)
