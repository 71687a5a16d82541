"""From a look and a seed to a finished product picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from engine.foundation.seeding import numpy_generator
from scripts.sample_shop.canvas import PICTURE_SIDE, SIDE, UNIT, Canvas, background
from scripts.sample_shop.forms import FORMS
from scripts.sample_shop.looks import Look


def draw_product(look: Look, seed: int, item: int) -> Image.Image:
    """The picture of one product, RGB, ``PICTURE_SIDE`` pixels square.

    The same look, seed and item always give the same pixels; pose, size, light, wall and hue
    differ between items.
    """
    rng = numpy_generator(seed, "sample shop picture", item)
    canvas = Canvas(look, rng)
    FORMS[look.category](canvas)
    product, foot = _posed(canvas.image, look, rng)
    picture = background(look, rng)
    _cast_shadow(picture, product, foot, rng, on_table=not look.hangs)
    picture.paste(product, mask=product.getchannel("A"))
    small = picture.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    light = rng.normal(1.0, 0.03) * (1 + rng.normal(0, 0.008, 3))
    return Image.fromarray(np.clip(np.asarray(small, float) * light, 0, 255).astype(np.uint8))


def _posed(
    product: Image.Image, look: Look, rng: np.random.Generator
) -> tuple[Image.Image, tuple[float, float]]:
    """The product turned, sized and placed a little at random, and where its foot stands."""
    if look.category in ("mug", "shoes", "lamp") and rng.uniform() < 0.4:
        product = product.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    product = product.rotate(rng.normal(0, 2.2), Image.Resampling.BICUBIC)
    side = round(SIDE * rng.uniform(0.84, 0.99))
    product = product.resize((side, side), Image.Resampling.LANCZOS)
    placed = Image.new("RGBA", (SIDE, SIDE))
    slack = SIDE - side
    drift = rng.normal(0, 1.2) * UNIT
    placed.paste(product, (round(slack / 2 + drift), round(slack * (0.5 if look.hangs else 0.75))))
    left, _, right, bottom = placed.getchannel("A").getbbox() or (0, 0, SIDE, SIDE)
    return placed, ((left + right) / 2, bottom)


def _cast_shadow(
    picture: Image.Image,
    product: Image.Image,
    foot: tuple[float, float],
    rng: np.random.Generator,
    *,
    on_table: bool,
) -> None:
    """Darken the table under the product and, softly, the wall behind it."""
    alpha = product.getchannel("A")
    left, _, right, _ = alpha.getbbox() or (0, 0, SIDE, SIDE)
    ground = Image.new("L", (SIDE, SIDE), 0)
    half = (right - left) * 0.46
    x, y = foot[0] + rng.uniform(-2, 4) * UNIT, foot[1] - 1.0 * UNIT
    ground.paste(150, (round(x - half), round(y - 2 * UNIT), round(x + half), round(y + 2 * UNIT)))
    ground = ground.filter(ImageFilter.GaussianBlur(2.6 * UNIT))
    behind = Image.new("L", (SIDE, SIDE), 0)
    behind.paste(alpha.point(lambda v: v // 4), (round(2.5 * UNIT), round(1.5 * UNIT)))
    behind = behind.filter(ImageFilter.GaussianBlur(3 * UNIT))
    for mask in (behind, ground) if on_table else (behind,):
        picture.paste((70, 56, 50), mask=mask)
