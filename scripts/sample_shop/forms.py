"""Which form draws which category."""

from __future__ import annotations

from collections.abc import Callable

from scripts.sample_shop.canvas import Canvas
from scripts.sample_shop.forms_home import chair, clock, lamp, mug, plant
from scripts.sample_shop.forms_worn import backpack, shoes, t_shirt

FORMS: dict[str, Callable[[Canvas], None]] = {
    "mug": mug,
    "t-shirt": t_shirt,
    "lamp": lamp,
    "backpack": backpack,
    "shoes": shoes,
    "chair": chair,
    "plant": plant,
    "clock": clock,
}
