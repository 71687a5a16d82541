"""Gaussian noise on features: inherent noise, in its plainest form."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.foundation.seeding import torch_generator
from engine.robustness.perturbation import LengthConfig, ProjectedRay, Ray, Risk
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

    def projected_alike(self, subject: Subject, seed: int, draw: int) -> ProjectedRay:
        """``A z`` is normal with covariance ``K = A A^T``, so ``K^(1/2) w`` with w standard normal
        [n, P] is distributed exactly alike. The symmetric root is taken, so that runs with similar
        projections get similar draws from the same w."""
        items = subject.items(self)
        width = subject.projected.shape[1]
        moved = torch.zeros(len(items), width, device=subject.device, dtype=subject.dtype)
        for m in subject.modalities(self):
            generator = torch_generator(seed, f"projected normal {m}", draw)
            w = torch.randn(subject.dataset.n_items, width, generator=generator).to(moved)
            values, vectors = torch.linalg.eigh(subject.grams[m].double())
            root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
            scale = subject.lengths(m, items, "l2", self.unit) / subject.width(m) ** 0.5
            moved += scale[:, None] * (w.index_select(0, items) @ root.to(moved))
        return ProjectedRay(items, moved)
