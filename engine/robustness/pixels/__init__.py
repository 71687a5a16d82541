"""Attacks on pictures through the image encoder, and pictures before and after."""

from engine.robustness.pixels.before_after import PictureChange, picture_change, picture_edit
from engine.robustness.pixels.pixel_attack import PixelFGSMConfig, PixelPGDConfig

AnyPictureAttack = PixelFGSMConfig | PixelPGDConfig
"""Every attack on pictures."""

__all__ = [
    "AnyPictureAttack",
    "PictureChange",
    "PixelFGSMConfig",
    "PixelPGDConfig",
    "picture_change",
    "picture_edit",
]
