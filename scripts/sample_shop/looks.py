"""What a product of the sample shop can look like: its attributes, their words and their paints."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES = ("mug", "t-shirt", "lamp", "backpack", "shoes", "chair", "plant", "clock")
COLOURS = ("red", "mustard", "green", "teal", "navy", "purple", "pink", "grey")
PATTERNS = ("plain", "stripes", "dots", "checks", "zigzag", "flowers")
STYLES = ("minimal", "retro", "playful")

RGB = tuple[int, int, int]

PAINTS: dict[str, RGB] = {
    "red": (205, 62, 55),
    "mustard": (226, 167, 46),
    "green": (82, 148, 82),
    "teal": (38, 158, 158),
    "navy": (46, 66, 126),
    "purple": (132, 84, 168),
    "pink": (238, 138, 166),
    "grey": (128, 134, 142),
}
CREAM: RGB = (252, 244, 228)
WHITE: RGB = (250, 249, 246)
DARK: RGB = (52, 46, 56)
WOOD: RGB = (196, 144, 92)
METAL: RGB = (190, 194, 200)


@dataclass(frozen=True)
class Look:
    """The true attributes of one product; shoppers act on these and pictures show them."""

    category: str
    colour: str
    pattern: str
    style: str

    @property
    def hangs(self) -> bool:
        """Whether it hangs on a wall instead of standing on a table."""
        return self.category == "t-shirt" or (self.category == "clock" and self.style != "retro")


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """``first`` with a ``share`` (0 to 1) of ``second`` stirred in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def base_paint(look: Look) -> RGB:
    """The product's main colour: muted where it is retro, bright where playful."""
    paint = PAINTS[look.colour]
    if look.style == "retro":
        return mixed(paint, (150, 112, 70), 0.14)
    if look.style == "minimal":
        return mixed(paint, (236, 232, 228), 0.10)
    return paint
