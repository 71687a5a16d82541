"""Gaussian noise on features: inherent noise, in its plainest form."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.data.perturbations.feature_table import FeatureTable, normal
from engine.data.perturbations.perturbation import LengthConfig, Ray
from engine.data.perturbations.units import Risk


class GaussianConfig(LengthConfig):
    """Independent normal noise on every coordinate."""

    title: ClassVar[str] = "Gaussian noise"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["gaussian"] = "gaussian"

    @property
    def strength_unit(self) -> str:
        return "root mean square " + super().strength_unit

    def path(self, table: FeatureTable, seed: int, draw: int) -> Ray:
        """``x_i + s * l_i / sqrt(F) * z_i`` with z standard normal: expected squared length
        (s l_i)^2, where l_i is the unit's length of item i.

        The same z serves every run, every strength and both units, so differences between runs are
        not differences between draws.
        """
        items = table.items(self)
        clean, directions = {}, {}
        for m in table.modalities(self):
            scale = table.lengths(m, items, "l2", self.unit) / table.width(m) ** 0.5
            clean[m] = table.rows(m, items)
            directions[m] = normal(table, m, items, seed, draw) * scale[:, None]
        return Ray(items, clean, directions)
