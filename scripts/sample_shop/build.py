"""Writes the sample shop to a folder in MMRec's layout, all from one seed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.encoders import ImageEncoder, TextEncoder
from engine.foundation.progress import Progress, part, track
from scripts.sample_shop.catalogue import Product, mislead, stock
from scripts.sample_shop.draw import draw_product
from scripts.sample_shop.shoppers import Habits, simulate, split_by_time

SEED = 2024
ITEMS = 400
USERS = 600
NOISE_SHARE = 0.08


def build(folder: Path, seed: int, progress: Progress) -> None:
    """Draw, write, simulate and encode the whole dataset into ``folder``.

    The files are named after the folder. Raises MissingExtraError without the encoders' packages.
    """
    image_encoder, text_encoder = ImageEncoder(), TextEncoder()
    products = mislead(stock(ITEMS, seed), NOISE_SHARE, seed)
    pictures = folder / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    draw_all(products, pictures, seed, part(progress, 0.0, 0.6))
    item_table(products).to_csv(folder / "items.csv", index=False, lineterminator="\n")

    bought = simulate([product.look for product in products], USERS, seed, Habits())
    split_by_time(bought).to_csv(
        folder / f"{folder.name}.inter", sep="\t", index=False, lineterminator="\n"
    )

    paths = [pictures / f"{item}.jpg" for item in range(len(products))]
    image_rows = image_encoder.encode(paths, progress=part(progress, 0.6, 0.9))
    texts = [f"{product.title}. {product.description}" for product in products]
    text_rows = text_encoder.encode(texts, progress=part(progress, 0.9, 1.0))
    np.save(folder / "image_feat.npy", image_rows.astype(np.float16))
    np.save(folder / "text_feat.npy", text_rows.astype(np.float16))


def draw_all(products: Sequence[Product], folder: Path, seed: int, progress: Progress) -> None:
    """One picture an item; an item with a misleading picture gets a copy of its lender's."""
    for item in track(range(len(products)), progress, "drawing"):
        if products[item].noise != "image":
            picture = draw_product(products[item].look, seed, item)
            picture.save(folder / f"{item}.jpg", quality=88, optimize=True)
    for item, product in enumerate(products):
        if product.noise == "image":
            shutil.copyfile(folder / f"{product.noise_source}.jpg", folder / f"{item}.jpg")


def item_table(products: Sequence[Product]) -> pd.DataFrame:
    """The item table: what the shop shows, the true look, and what misleads."""
    return pd.DataFrame(
        {
            "itemID": item,
            "title": product.title,
            "description": product.description,
            "category": product.look.category,
            "colour": product.look.colour,
            "pattern": product.look.pattern,
            "style": product.look.style,
            "price": product.price,
            "noise": product.noise,
            "noise_source": product.noise_source,
        }
        for item, product in enumerate(products)
    ).astype({"noise_source": "Int64"})
