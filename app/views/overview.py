"""Overview: what Basin is for, the demonstration, and the dataset with its products."""

from __future__ import annotations

import streamlit as st

from app.charts import catalogue
from app.charts.style import CONFIG
from app.panels.overview import headline
from app.selection import state
from app.widgets import cards, pictures
from app.widgets import demonstration_button as demonstration
from app.widgets.error_boundary import errors_shown

st.title("See why a recommender breaks")
st.markdown(
    "Basin trains recommenders that see **pictures and texts**, plainly and by robust strategies, "
    "then shows the minima they found and what happens when the pictures or texts are disturbed."
)

choice: state.Choice = st.session_state["choice"]
status = demonstration.newest_status()
with st.container(border=True):
    if status is not None and not status.is_over:
        demonstration.watch_demonstration()
        st.caption("It goes on in the background: look around, or close this page and come back.")
    elif not choice.ids:
        words, button = st.columns([3, 1], vertical_alignment="center")
        words.markdown(
            "**New here?** One click trains the same model four ways (plain, Mirror Gradient, AMR "
            "and both together) on the dataset below and fills every page. Under a minute."
        )
        with button:
            demonstration.start_button(first=True)
    else:
        headline.headline(choice)
        for problem in status.problems if status else ():
            st.warning(problem)
        demonstration.where_to_go()
        demonstration.start_button(first=status is None)

st.header("Dataset")
with errors_shown():
    found = state.known_datasets()
    here = state.dataset_path()
    paths = list(dict.fromkeys([*found, here]))
    picked = st.selectbox(
        "Dataset",
        paths,
        index=paths.index(here),
        format_func=lambda path: found.get(path, path),
        accept_new_options=True,
        help="Pick one that was found, or type the path of a folder or table and press Enter. "
        "Formats: MMRec / Mirror Gradient, AMR, Cornac, CSV and Parquet tables; or "
        "'synthetic:users=200,items=100,interactions=3000'.",
    )
    if picked != here:
        state.look_at_dataset(picked)
        st.rerun()
    dataset = state.open_dataset(picked)

    sizes = {
        "Users": f"{dataset.n_users:,}",
        "Products": f"{dataset.n_items:,}",
        "Interactions": f"{len(dataset):,}",
        "Empty cells": f"{dataset.sparsity:.2%}",
    } | {
        f"{modality.capitalize()} features": f"{x.shape[1]:,} wide"
        for modality, x in dataset.features.items()
    }
    for column, (name, value) in zip(st.columns(len(sizes)), sizes.items(), strict=True):
        column.metric(name, value)
    st.caption(
        f"Split: {len(dataset.train):,} interactions to train on, {len(dataset.valid):,} to choose "
        f"the epoch by (validation), {len(dataset.test):,} to report (test). "
        + " ".join(dataset.notes)
    )

    popularity, sizes_column = st.columns([3, 2], gap="large")
    with popularity:
        st.subheader("Popularity")
        figure = catalogue.long_tail(dataset.popularity, dataset.items["title"])
        st.plotly_chart(figure, config=CONFIG, alt="Interactions of each item, most popular first")
        st.caption(catalogue.long_tail_caption(dataset.popularity))
    categories = dataset.items["category"].str.split("|").str[0]
    if (categories != "").any():
        with sizes_column:
            st.subheader("Categories")
            figure = catalogue.category_sizes(categories, dataset.items["noise"])
            st.plotly_chart(figure, config=CONFIG, alt="Items in each category")
            st.caption("Items by their first category; the largest 15 are shown.")

    st.subheader("Products")
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    sought = left.text_input("Search titles and descriptions", persist_state="session", key="find")
    names = ["all", *sorted(set(categories) - {""})]
    wanted = middle.selectbox("Category", names, disabled=len(names) == 1)
    items = dataset.items
    text = items["title"] + " " + items["description"]
    shown = text.str.contains(sought, case=False, regex=False)
    shown &= (categories == wanted) | (wanted == "all")
    if (items["noise"] != "").any() and right.toggle("Only those that mislead on purpose"):
        shown &= items["noise"] != ""
    hits = items[shown]
    n_pages = max(1, -(-len(hits) // cards.PER_PAGE))
    page = st.session_state.get("products", 1)
    start = (min(page, n_pages) - 1) * cards.PER_PAGE
    if len(hits):
        cards.item_grid(hits.iloc[start : start + cards.PER_PAGE])
        if n_pages > 1:
            st.pagination(n_pages, key="products")
    else:
        st.info("No product fits; change the search.")
    if not any(pictures.picture_paths(items)):
        st.caption("This dataset has no pictures; its image features are used as they are.")
