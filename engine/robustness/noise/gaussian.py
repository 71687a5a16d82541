"""Gaussian noise on features: inherent noise, in its plainest form."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.robustness.perturbation import LengthConfig, Ray, Risk
from engine.robustness.subject import Subject, normal


class GaussianConfig(LengthConfig):
    """Independent normal noise on every coordinate."""

    title: ClassVar[str] = "Gaussian noise"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["gaussian"] = "gaussian"

    @property
    def strength_unit(self) -> str:
        return "root mean square " + super().strength_unit

    def path(self, subject: Subject, seed: int, draw: int) -> Ray:
        """``x_i + s * l_i / sqrt(F) * z_i`` with z standard normal: expected squared length
        (s l_i)^2, where l_i is the unit's length of item i.

        The same z serves every run, every strength and both units, so differences between runs are
        not differences between draws.
        """
        items = subject.items(self)
        clean, directions = {}, {}
        for m in subject.modalities(self):
            scale = subject.lengths(m, items, "l2", self.unit) / subject.width(m) ** 0.5
            clean[m] = subject.rows(m, items)
            directions[m] = normal(subject, m, items, seed, draw) * scale[:, None]
        return Ray(items, clean, directions)
