"""Blurred pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from engine.data.perturbations.pixels.picture import PictureEditConfig
from engine.data.perturbations.units import Risk


class BlurConfig(PictureEditConfig):
    """Every chosen picture is smoothed, as by a bad lens or an enlarged thumbnail."""

    title: ClassVar[str] = "Blur of pictures"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 1.0, 2.0, 4.0, 8.0)

    name: Literal["blur"] = "blur"

    @property
    def is_drawn(self) -> bool:
        return False

    @property
    def strength_unit(self) -> str:
        return "standard deviation of the Gaussian blur in pixels, of 224"

    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        """Separable Gaussian filter, borders reflected, cut at three standard deviations."""
        del items, seed, draw
        radius = max(1, min(round(3 * strength), pixels.shape[-1] - 1))
        offsets = torch.arange(-radius, radius + 1, device=pixels.device, dtype=pixels.dtype)
        kernel = torch.exp(-0.5 * (offsets / strength) ** 2)
        kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
        wide = functional.pad(pixels, (radius, radius, 0, 0), mode="reflect")
        wide = functional.conv2d(wide, kernel, groups=3)
        tall = functional.pad(wide, (0, 0, radius, radius), mode="reflect")
        return functional.conv2d(tall, kernel.transpose(2, 3), groups=3).clamp(0, 1)
