"""The dataset looked at: which, how large, how popularity is spread, and its categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts import catalogue as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.workspace import dataset_path, known_datasets, look_at_dataset

if TYPE_CHECKING:
    from engine.data import Dataset


def choose_dataset() -> str:
    """The list of datasets, where a path may be typed too; returns the chosen path."""
    labels, here = known_datasets(), dataset_path()
    paths = list(dict.fromkeys([*labels, here]))
    path = st.selectbox(
        "Dataset",
        paths,
        index=paths.index(here),
        format_func=lambda path: labels.get(path, path),
        accept_new_options=True,
        help="Pick one of the list, or type the path of a folder or table and press Enter. "
        "Formats: MMRec / Mirror Gradient, AMR, Cornac, CSV and Parquet tables; or "
        "'synthetic:users=200,items=100,interactions=3000'.",
    )
    if path != here:
        look_at_dataset(path)
        st.rerun()
    return path


def sizes(dataset: Dataset) -> None:
    """Counts of a dataset and its split."""
    counts = {
        "Users": f"{dataset.n_users:,}",
        "Products": f"{dataset.n_items:,}",
        "Interactions": f"{len(dataset):,}",
        "Empty cells": f"{dataset.sparsity:.2%}",
    } | {
        f"{modality.capitalize()} features": f"{x.shape[1]:,} wide"
        for modality, x in dataset.features.items()
    }
    for column, (name, value) in zip(st.columns(len(counts)), counts.items(), strict=True):
        column.metric(name, value)
    st.caption(
        f"Split: {len(dataset.train):,} interactions to train on, {len(dataset.valid):,} to choose "
        f"the epoch by (validation), {len(dataset.test):,} to report (test). "
        + escape(" ".join(dataset.notes))
    )


def popularity_and_categories(dataset: Dataset) -> None:
    """How interactions are spread over items, and items over categories."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Popularity")
        figure = charts.long_tail(dataset.popularity, dataset.items["title"])
        st.plotly_chart(figure, config=CONFIG, alt="Interactions of each item, most popular first")
        st.caption(charts.long_tail_caption(dataset.popularity))
    categories = first_categories(dataset.items)
    if (categories != "").any():
        with right:
            st.subheader("Categories")
            figure = charts.category_sizes(categories, dataset.items["noise"])
            st.plotly_chart(figure, config=CONFIG, alt="Items in each category")
            st.caption("Items by their first category; the largest 15 are shown.")


def first_categories(items: pd.DataFrame) -> pd.Series:
    """The first of each item's categories, '' where it has none."""
    return items["category"].str.split("|").str[0]
