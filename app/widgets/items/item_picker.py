"""Choosing one item of the dataset, by its title and picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app.widgets.items import cards

if TYPE_CHECKING:
    from engine.data import Dataset


def pick_item(dataset: Dataset, key: str, needs_picture: bool = False) -> int | None:
    """A list of items, the least popular first, with the chosen one's card; None without any."""
    order = np.argsort(dataset.popularity, kind="stable")
    if needs_picture:
        has = dataset.items["image_path"].to_numpy(dtype=str) != ""
        order = order[has[order]]
    if not len(order):
        return None
    titles = dataset.items["title"].to_numpy(dtype=str)
    item = st.selectbox(
        "Item",
        [int(i) for i in order],
        format_func=lambda i: f"{titles[i] or f'item {i}'} ({int(dataset.popularity[i])})",
        help="The least popular first; in brackets: its training interactions. Type to find one.",
        key=key,
        bind="query-params",
    )
    cards.item_grid(dataset.items.iloc[[item]])
    return int(item)
