"""The products of the sample shop: which looks it stocks, what it writes about them, which lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.foundation.seeding import numpy_generator
from scripts.sample_shop.looks import CATEGORIES, COLOURS, PATTERNS, STYLES, Look
from scripts.sample_shop.words import (
    COLOUR_WORDS,
    MAKERS,
    MATERIALS,
    PATTERN_WORDS,
    PRICES,
    SHELVES,
    STYLE_WORDS,
)


@dataclass(frozen=True)
class Product:
    """One product as the shop shows it, and its true look.

    ``noise`` is empty, ``image`` or ``text``: what misleads, taken from product ``noise_source``.
    """

    look: Look
    title: str
    description: str
    price: float
    noise: str = ""
    noise_source: int | None = None


def stock(count: int, seed: int) -> list[Product]:
    """``count`` products of distinct looks, equally many a category, in mixed order."""
    rng = numpy_generator(seed, "sample shop stock")
    per_category = -(-count // len(CATEGORIES))
    looks: list[Look] = []
    kinds = [(c, p, s) for c in COLOURS for p in PATTERNS for s in STYLES]
    for category in CATEGORIES:
        chosen = rng.choice(len(kinds), size=per_category, replace=False)
        looks += [Look(category, *kinds[index]) for index in chosen]
    order = rng.permutation(len(looks))[:count]
    return [_described(looks[index], rng) for index in order]


def _described(look: Look, rng: np.random.Generator) -> Product:
    def one_of(words: Sequence[str]) -> str:
        return words[int(rng.integers(len(words)))]

    colour, maker = one_of(COLOUR_WORDS[look.colour]), one_of(MAKERS)
    pattern, category = look.pattern, look.category
    title = one_of(
        (
            f"{maker} {look.style} {category}, {colour} {pattern}",
            f"{colour.capitalize()} {category} “{maker}”, {pattern}, {look.style}",
            f"{look.style.capitalize()} {category} in {colour}, {pattern}",
            f"{maker}: {look.style} {colour} {category}, {pattern}",
        )
    )
    called = {"shoes": "pair of shoes", "plant": "potted plant"}.get(category, category)
    made_of, use = one_of(MATERIALS[category]), one_of(SHELVES[category])
    maker_verb = {"clock": "Built with", "plant": "Comes in"}.get(category, "Made of")
    style, print_ = one_of(STYLE_WORDS[look.style]), one_of(PATTERN_WORDS[pattern])
    first = one_of(
        (
            f"{style}: a {colour} {called} {print_}.",
            f"{style}. This {called} comes in {colour}, {print_}.",
        )
    )
    second = one_of(
        (
            f"{maker_verb} {made_of}, just right for {use}.",
            f"Perfect for {use}: {made_of}.",
            f"We like it for {use}. {made_of.capitalize()}.",
        )
    )
    price = round(PRICES[category] * float(np.exp(rng.normal(0, 0.25)))) - 0.05
    return Product(look, title, f"{first} {second}", round(price, 2))


def mislead(products: Sequence[Product], share: float, seed: int) -> list[Product]:
    """A copy of ``products`` in which a ``share`` shows another product's picture or text.

    Half of them carry a wrong picture, half a wrong text; three in four borrow it from another
    category, the rest from the same one. A lender is always honest itself.
    """
    rng = numpy_generator(seed, "sample shop noise")
    misled = list(products)
    count = round(share * len(products))
    liars = rng.permutation(len(products))[:count]
    honest = np.setdiff1d(np.arange(len(products)), liars)
    for place, liar in enumerate(int(index) for index in liars):
        look = products[liar].look
        same = rng.uniform() < 0.25
        lenders = [
            int(h)
            for h in honest
            if (products[h].look.category == look.category) == same
            and products[h].look.colour != look.colour
            and products[h].look.pattern != look.pattern
        ]
        source = lenders[int(rng.integers(len(lenders)))]
        if place % 2 == 0:
            misled[liar] = replace(misled[liar], noise="image", noise_source=source)
        else:
            lent = products[source]
            misled[liar] = replace(
                misled[liar],
                title=lent.title,
                description=lent.description,
                noise="text",
                noise_source=source,
            )
    return misled
