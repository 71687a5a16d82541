"""Uniform noise on features."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.data.perturbations.feature_table import FeatureTable
from engine.data.perturbations.perturbation import LengthConfig, Ray
from engine.data.perturbations.units import Risk
from engine.foundation.seeding import torch_generator


class UniformConfig(LengthConfig):
    """Independent noise on every coordinate, uniform around zero; bounded, unlike Gaussian."""

    title: ClassVar[str] = "Uniform noise"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["uniform"] = "uniform"

    @property
    def strength_unit(self) -> str:
        return "root mean square " + super().strength_unit

    def path(self, table: FeatureTable, seed: int, draw: int) -> Ray:
        """``x_i + s * l_i * sqrt(3 / F) * v`` with v uniform on [-1, 1]: expected squared length
        (s l_i)^2."""
        items = table.items(self)
        clean, directions = {}, {}
        for m in table.modalities(self):
            generator = torch_generator(seed, f"uniform {m}", draw)
            shape = (table.dataset.n_items, table.width(m))
            v_IF = (torch.rand(shape, generator=generator) * 2 - 1).to(table.features[m])
            scale = table.lengths(m, items, "l2", self.unit) * (3 / table.width(m)) ** 0.5
            clean[m] = table.rows(m, items)
            directions[m] = v_IF.index_select(0, items) * scale[:, None]
        return Ray(items, clean, directions)
