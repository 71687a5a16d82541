"""Painting with Pillow: shapes in a square of 100 x 100 units, textures, light and backgrounds.

Everything is drawn four times too large and shrunk at the end, which smooths every edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from scripts.sample_shop.looks import CREAM, DARK, RGB, Look, base_paint, mixed

PICTURE_SIDE = 160
SIDE = 4 * PICTURE_SIDE
UNIT = SIDE / 100

Point = tuple[float, float]
Shade = Literal["flat", "tube", "ball"]


def smooth(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """A closed Catmull-Rom curve through ``points``."""
    knots = np.asarray(points, dtype=float)
    before, after, beyond = (np.roll(knots, -shift, axis=0) for shift in (-1, 1, 2))
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (knot[:, None, :] for knot in (before, knots, after, beyond))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]


def pattern_strength(pattern: str, rng: np.random.Generator) -> np.ndarray:
    """How much ink lies on each pixel, [SIDE, SIDE] in 0 to 1, for one of the shop's patterns."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / UNIT
    step = rng.uniform(8.5, 11.5)
    turn = {"stripes": rng.choice([0.0, np.pi / 2, np.pi / 4]), "dots": rng.uniform(0, 0.5)}
    angle = turn.get(pattern, 0.0) + rng.normal(0, 0.05)
    u = (x * np.cos(angle) + y * np.sin(angle)) / step + rng.uniform()
    v = (y * np.cos(angle) - x * np.sin(angle)) / step + rng.uniform()
    if pattern == "stripes":
        return (u % 1 < 0.45).astype(float)
    if pattern == "checks":
        return 0.5 * (u % 1 < 0.5) + 0.5 * (v % 1 < 0.5)
    if pattern == "zigzag":
        return ((v + 0.7 * np.abs((u % 1) - 0.5) * 1.4) % 1 < 0.42).astype(float)
    if pattern in ("dots", "flowers"):
        row = np.floor(v)
        across, down = (u + 0.5 * (row % 2)) % 1 - 0.5, v - row - 0.5
        radius = np.hypot(across, down)
        if pattern == "dots":
            return (radius < 0.29).astype(float)
        petals = 0.27 + 0.13 * np.cos(5 * np.arctan2(down, across) + row)
        return ((radius < petals) & (radius > 0.10)).astype(float)
    return np.zeros((SIDE, SIDE))


class Canvas:
    """A transparent picture of one product under way."""

    def __init__(self, look: Look, rng: np.random.Generator) -> None:
        self.look = look
        self.rng = rng
        jitter = rng.normal(0, 5, 3)
        red, green, blue = (
            int(np.clip(round(channel + change), 0, 255))
            for channel, change in zip(base_paint(look), jitter, strict=True)
        )
        self.base: RGB = (red, green, blue)
        is_light_ink = look.colour not in ("mustard", "pink") or rng.uniform() < 0.6
        self.ink = CREAM if is_light_ink else mixed(self.base, DARK, 0.62)
        self.deep = mixed(self.base, DARK, 0.35)
        self.light = mixed(self.base, (255, 255, 255), 0.35)
        self.image = Image.new("RGBA", (SIDE, SIDE), (*self.base, 0))
        self._texture = self._make_texture()

    def _make_texture(self) -> np.ndarray:
        ink = pattern_strength(self.look.pattern, self.rng)[..., None]
        base, over = np.array(self.base, float), np.array(self.ink, float)
        return base * (1 - 0.92 * ink) + over * 0.92 * ink

    def blank(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        mask = Image.new("L", (SIDE, SIDE), 0)
        return mask, ImageDraw.Draw(mask)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float) -> Image.Image:
        mask, draw = self.blank()
        draw.ellipse([x0 * UNIT, y0 * UNIT, x1 * UNIT, y1 * UNIT], fill=255)
        return mask

    def ring(self, x0: float, y0: float, x1: float, y1: float, width: float) -> Image.Image:
        inner = self.ellipse(x0 + width, y0 + width, x1 - width, y1 - width)
        return ImageChops.subtract(self.ellipse(x0, y0, x1, y1), inner)

    def box(self, x0: float, y0: float, x1: float, y1: float, round_by: float = 0) -> Image.Image:
        mask, draw = self.blank()
        corners = [x0 * UNIT, y0 * UNIT, x1 * UNIT, y1 * UNIT]
        draw.rounded_rectangle(corners, radius=round_by * UNIT, fill=255)
        return mask

    def polygon(self, *points: Point) -> Image.Image:
        mask, draw = self.blank()
        draw.polygon([(x * UNIT, y * UNIT) for x, y in points], fill=255)
        return mask

    def blob(self, *points: Point) -> Image.Image:
        """A smooth closed shape through ``points``."""
        return self.polygon(*smooth(points))

    def line(self, *points: Point, width: float) -> Image.Image:
        """A line with round ends."""
        mask, draw = self.blank()
        scaled = [(x * UNIT, y * UNIT) for x, y in points]
        draw.line(scaled, fill=255, width=round(width * UNIT), joint="curve")
        half = width * UNIT / 2
        for x, y in scaled:
            draw.ellipse([x - half, y - half, x + half, y + half], fill=255)
        return mask

    def paint(
        self, mask: Image.Image, fill: RGB | None = None, shade: Shade = "flat", edge: float = 0.22
    ) -> None:
        """Cover ``mask`` with one colour, or with the product's pattern where ``fill`` is None.

        ``shade`` models the light as on a flat, a tube-like or a ball-like thing; ``edge`` darkens
        the rim.
        """
        bounds = mask.getbbox()
        if bounds is None:
            return
        left, top, right, bottom = bounds
        height, width = bottom - top, right - left
        colour = self._texture[top:bottom, left:right] if fill is None else np.array(fill, float)
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        light = np.ones((height, width))
        if shade == "tube":
            light = 1.10 - 0.55 * (x - 0.34) ** 2
        elif shade == "ball":
            light = 1.14 - 0.46 * ((x - 0.34) ** 2 + (y - 0.28) ** 2)
        soft = mask.filter(ImageFilter.GaussianBlur(2.2 * UNIT)).crop(bounds)
        rim = 1 - np.asarray(soft, float) / 255
        light = light * (1 - edge * rim)
        pixels = np.clip(colour * light[..., None], 0, 255).astype(np.uint8)
        self.image.paste(Image.fromarray(pixels), (left, top), mask.crop(bounds))

    def gleam(self, mask: Image.Image, strength: float = 0.35) -> None:
        """A soft white highlight."""
        soft = mask.filter(ImageFilter.GaussianBlur(0.8 * UNIT)).point(lambda v: int(v * strength))
        soft = ImageChops.multiply(soft, self.image.getchannel("A"))
        white = Image.new("RGBA", (SIDE, SIDE), (255, 255, 255, 255))
        self.image.paste(white, mask=soft)

    def face(self, x: float, y: float, size: float, ink: RGB = DARK) -> None:
        """Two eyes, a smile and rosy cheeks."""
        for side in (-1, 1):
            eye = x + side * size
            self.paint(self.ellipse(eye - 1.7, y - 2.1, eye + 1.7, y + 2.1), ink, edge=0)
            cheek = x + side * size * 1.55
            self.paint(self.ellipse(cheek - 2, y + 2.4, cheek + 2, y + 5), (246, 150, 150), edge=0)
        smile = [
            (x + size * 0.5 * np.cos(a), y + 2.4 + 2.6 * np.sin(a))
            for a in np.linspace(0.1, np.pi - 0.1, 9)
        ]
        self.paint(self.line(*smile, width=1.3), ink, edge=0)


def background(look: Look, rng: np.random.Generator) -> Image.Image:
    """The wall and table behind a product: calm, sunny or full of confetti, by style."""
    walls: dict[str, list[RGB]] = {
        "minimal": [(238, 238, 236), (233, 238, 241), (242, 237, 231), (235, 240, 234)],
        "retro": [(244, 226, 194), (232, 220, 190), (240, 214, 190), (222, 222, 196)],
        "playful": [(206, 234, 246), (255, 232, 190), (252, 218, 228), (216, 240, 214)],
    }
    wall = walls[look.style][int(rng.integers(4))]
    image = Image.new("RGB", (SIDE, SIDE), wall)
    draw = ImageDraw.Draw(image)
    floor = rng.uniform(72, 80) * UNIT
    if look.style == "retro":
        centre, reach = rng.uniform(42, 58) * UNIT, rng.uniform(36, 44) * UNIT
        middle = rng.uniform(48, 58) * UNIT
        glow = mixed(wall, (236, 150, 84), 0.42)
        for share, stir in ((1.0, 0.55), (0.82, 0.25), (0.64, 0.0)):
            r = reach * share
            box = [centre - r, middle - r, centre + r, middle + r]
            draw.ellipse(box, fill=mixed(glow, wall, stir))
    if look.style == "playful":
        paper = [(255, 196, 84), (250, 132, 132), (116, 196, 210), (170, 150, 226), (130, 202, 140)]
        for _ in range(int(rng.integers(16, 24))):
            x, y = rng.uniform(2, 98, 2) * UNIT
            y *= 1.0 if look.hangs else 0.74
            r = rng.uniform(1.2, 2.6) * UNIT
            tint = mixed(paper[int(rng.integers(5))], wall, 0.35)
            if rng.uniform() < 0.5:
                draw.ellipse([x - r, y - r, x + r, y + r], fill=tint)
            else:
                turns = rng.uniform(0, 6.3) + np.arange(3) * 2.1
                draw.polygon(
                    [(x + 1.4 * r * np.cos(a), y + 1.4 * r * np.sin(a)) for a in turns], fill=tint
                )
    table = mixed(wall, (176, 150, 120) if look.style == "retro" else (186, 178, 172), 0.34)
    if not look.hangs:
        draw.rectangle([0, floor, SIDE, SIDE], fill=table)
    falloff = np.linspace(1.03, 0.95, SIDE)[:, None] * np.linspace(1.02, 0.97, SIDE)[None, :]
    lit = np.asarray(image, float) * falloff[..., None]
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
