"""Noise on pixels: Gaussian, and the random control of pixel attacks."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from engine.data.perturbations.pixels.picture import PictureEditConfig, picture_draws
from engine.data.perturbations.units import Risk


class PixelNoiseConfig(PictureEditConfig):
    """Independent noise on every value of the chosen pictures, cut at 0 and 255."""

    title: ClassVar[str] = "Noise on pictures"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

    name: Literal["pixel_noise"] = "pixel_noise"
    form: Literal["gaussian", "signs"] = "gaussian"
    """``gaussian``: the strength is the standard deviation; ``signs``: every value moves up or down
    by just the strength, the control of an L-infinity attack."""

    @property
    def strength_unit(self) -> str:
        what = "standard deviation" if self.form == "gaussian" else "change of each value"
        return f"{what} in 1/255"

    @property
    def strength_limit(self) -> float:
        return 255.0

    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        noise = torch.stack(
            [
                torch.randn(picture.shape, generator=picture_draws(self.name, seed, draw, item))
                for picture, item in zip(pixels, items, strict=True)
            ]
        ).to(pixels)
        if self.form == "signs":
            noise = torch.where(noise < 0, -1.0, 1.0)
        return (pixels + noise * strength / 255).clamp(0, 1)
