"""The products of the dataset, searched by text and category."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.panels.overview.catalogue import first_categories
from app.widgets.items import cards
from app.widgets.items.thumbnails import picture_paths

if TYPE_CHECKING:
    from engine.data import Dataset


def products(dataset: Dataset) -> None:
    """A search, and a page of the products that fit it."""
    st.subheader("Products")
    items, categories = dataset.items, first_categories(dataset.items)
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    sought = left.text_input(
        "Search titles and descriptions", persist_state="session", key="find", bind="query-params"
    )
    names = ["all", *sorted(set(categories) - {""})]
    wanted = middle.selectbox("Category", names, disabled=len(names) == 1)
    text = items["title"] + " " + items["description"]
    fits = text.str.contains(sought, case=False, regex=False)
    fits &= (categories == wanted) | (wanted == "all")
    if (items["noise"] != "").any() and right.toggle("Only those that mislead on purpose"):
        fits &= items["noise"] != ""
    hits = items[fits]
    n_pages = max(1, -(-len(hits) // cards.PER_PAGE))
    page = st.session_state.get("products", 1)
    start = (min(page, n_pages) - 1) * cards.PER_PAGE
    if len(hits):
        cards.item_grid(hits.iloc[start : start + cards.PER_PAGE])
        if n_pages > 1:
            st.pagination(n_pages, key="products")
    else:
        st.info("No product fits; change the search.")
    if not any(picture_paths(items)):
        st.caption("This dataset has no pictures; its image features are used as they are.")
