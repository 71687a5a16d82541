"""Overview: what Basin is for, the demonstration, and the dataset with its products."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.charts.text import escape
from app.panels.overview.catalogue import choose_dataset, popularity_and_categories, sizes
from app.panels.overview.headline import headline
from app.panels.overview.own_data import check_report, upload
from app.panels.overview.products import products
from app.selection.choice import Choice
from app.selection.workspace import open_dataset
from app.widgets import demonstration_button as demonstration
from app.widgets.error_boundary import show_errors
from app.widgets.lazy_tabs import lazy_tabs

st.title("See why a recommender breaks")
choice: Choice = st.session_state["choice"]
status = demonstration.newest_status()
with st.container(border=True):
    if status is not None and not status.is_over:
        demonstration.watch_demonstration()
        st.caption("It goes on in the background: look around, or close this page and come back.")
    elif not choice.ids:
        words, button = st.columns([3, 1], vertical_alignment="center")
        words.markdown(
            "Basin trains recommenders that see **pictures and texts**, plainly and by robust "
            "strategies, then shows the minima they reached and what happens when the pictures or "
            "texts are disturbed. **New here?** One click trains the same model four ways (plain, "
            "Mirror Gradient, AMR and both) on the dataset below and fills every page. Under a "
            "minute."
        )
        with button:
            demonstration.start_button(first=True)
    else:
        with show_errors():
            headline(choice)
        for problem in status.problems if status else ():
            st.warning(escape(problem))
        demonstration.where_to_go()
        demonstration.start_button(first=status is None)

st.header("Dataset")
with show_errors():
    dataset = open_dataset(choose_dataset())
    sizes(dataset)
    lazy_tabs(
        "dataset.tab",
        {
            "Products": partial(products, dataset),
            "Popularity and categories": partial(popularity_and_categories, dataset),
            "Check": partial(check_report, dataset),
            "Upload": upload,
        },
    )
