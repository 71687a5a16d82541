"""Pictures made brighter or darker."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from engine.data.perturbations.pixels.picture import PictureEditConfig
from engine.data.perturbations.units import Risk


class BrightnessConfig(PictureEditConfig):
    """A constant is added to every pixel of the chosen pictures."""

    title: ClassVar[str] = "Brightness of pictures"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 16.0, 32.0, 64.0, 96.0, 128.0)

    name: Literal["brightness"] = "brightness"
    direction: Literal["brighter", "darker"] = "brighter"
    """Whether the constant is added or taken away."""

    @property
    def is_drawn(self) -> bool:
        return False

    @property
    def strength_unit(self) -> str:
        return "change of each pixel in 1/255, cut at black and white"

    @property
    def strength_limit(self) -> float:
        return 255.0

    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        del items, seed, draw
        sign = 1 if self.direction == "brighter" else -1
        return (pixels + sign * strength / 255).clamp(0, 1)
