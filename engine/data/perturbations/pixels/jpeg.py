"""Pictures saved as strongly compressed JPEG."""

from __future__ import annotations

import io
from typing import ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.data.perturbations.pixels.picture import PictureEditConfig
from engine.data.perturbations.units import Risk


class JPEGConfig(PictureEditConfig):
    """Every chosen picture is saved as JPEG and read again."""

    title: ClassVar[str] = "JPEG compression of pictures"
    risk: ClassVar[Risk] = "inherent noise"
    strengths: ClassVar[tuple[float, ...]] = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0)

    name: Literal["jpeg"] = "jpeg"

    @property
    def is_drawn(self) -> bool:
        return False

    @property
    def strength_unit(self) -> str:
        return "100 minus Pillow's JPEG quality"

    @property
    def strength_limit(self) -> float:
        return 99.0

    def edit(
        self, pixels: Tensor, items: list[int], strength: float, seed: int, draw: int
    ) -> Tensor:
        del items, seed, draw
        quality = round(100 - strength)
        return torch.stack([_through_jpeg(picture, quality) for picture in pixels])


def _through_jpeg(pixels_3HW: Tensor, quality: int) -> Tensor:
    whole = (pixels_3HW * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    saved = io.BytesIO()
    Image.fromarray(whole).save(saved, format="JPEG", quality=quality)
    with Image.open(saved) as image:
        read = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(read).permute(2, 0, 1).to(pixels_3HW)
