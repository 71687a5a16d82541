"""Pictures of which a part is covered."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from engine.data.perturbations.pixels.picture import PictureEditConfig, picture_draws
from engine.data.perturbations.units import Risk


class OcclusionConfig(PictureEditConfig):
    """A grey square lies on every chosen picture, at a place drawn for each."""

    title: ClassVar[str] = "Occlusion of pictures"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75)

    name: Literal["occlusion"] = "occlusion"

    @property
    def strength_unit(self) -> str:
        return "share of the picture's area that is covered"

    @property
    def strength_limit(self) -> float:
        return 1.0

    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        side = round(pixels.shape[-1] * strength**0.5)
        covered = pixels.clone()
        for picture, item in zip(covered, items, strict=True):
            place = torch.rand(2, generator=picture_draws(self.name, seed, draw, item))
            top, left = (place * (pixels.shape[-1] - side)).round().int().tolist()
            picture[:, top : top + side, left : left + side] = 0.5
        return covered
