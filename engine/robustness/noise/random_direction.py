"""The control of every attack: the same norm in a random direction."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from engine.objectives import of_length
from engine.robustness.perturbation import NormConfig, Ray, Risk
from engine.robustness.subject import Subject, normal


class RandomDirectionConfig(NormConfig):
    """A random direction of exactly the asked norm: what an attack must beat to be one."""

    title: ClassVar[str] = "Random direction"
    risk: ClassVar[Risk] = "inherent noise"

    name: Literal["random"] = "random"

    def path(self, subject: Subject, seed: int, draw: int) -> Ray:
        """L2: a direction uniform on the sphere; L-infinity: a random sign for each coordinate."""
        items = subject.items(self)
        clean, directions = {}, {}
        for m in subject.modalities(self):
            lengths = subject.lengths(m, items, self.norm, self.unit)
            z = normal(subject, m, items, seed, draw)
            clean[m] = subject.rows(m, items)
            directions[m] = (
                of_length(z, lengths)
                if self.norm == "l2"
                else torch.where(z < 0, -1.0, 1.0).to(z) * lengths[:, None]
            )
        return Ray(items, clean, directions)
