"""The demonstration: four presets and every analysis, from one button."""

from __future__ import annotations

import streamlit as st

from app.charts.text import escape
from app.selection.choice import look_at_runs
from app.selection.workspace import dataset_path, run_store
from app.widgets.error_boundary import show_errors
from app.widgets.quiet import spare_the_collector
from engine.foundation.errors import BasinError
from engine.studies.demonstration import (
    GroupStatus,
    group_status,
    newest_group,
    start_demonstration,
)

PAGES = (
    ("views/compare.py", "Compare", "Which training ranks best, and by how much?"),
    ("views/landscape.py", "Landscape", "How does the loss look around each solution?"),
    ("views/curvature.py", "Curvature", "Flat or sharp, in numbers that may be compared?"),
    ("views/embeddings.py", "Embeddings", "Which products does the model think are alike?"),
    ("views/robustness.py", "Robustness", "What breaks when pictures and texts are disturbed?"),
)


def newest_status() -> GroupStatus | None:
    """How the newest demonstration stands; None where there is none to speak of."""
    group = newest_group(run_store())
    if group is None:
        return None
    try:
        return group_status(run_store(), group)
    except BasinError:  # its runs were deleted since
        return None


def start_button(first: bool) -> None:
    """The button that starts it; the page goes on at once."""
    label = "Run the demonstration" if first else "Run the demonstration again"
    if st.button(
        label,
        type="primary" if first else "secondary",
        icon=":material/rocket_launch:",
        help="Trains plain, MG, AMR and MG + AMR on the dataset below, five seeds each, then "
        "computes every analysis. It goes on when this page is closed.",
    ):
        with st.spinner("Starting the trainings ..."):
            start_demonstration(run_store(), dataset_path())
        st.rerun()


@st.fragment(run_every=1.0)
@show_errors()
def watch_demonstration() -> None:
    """Its progress; when it is over, the page is drawn anew with its runs chosen."""
    spare_the_collector()
    status = newest_status()
    if status is None:
        return
    if status.is_over:
        look_at_runs(list(status.runs))
        st.rerun()
    st.progress(
        min(status.share, 1.0), text=f"**Demonstration**: {escape(status.message or 'starting')}"
    )


def where_to_go() -> None:
    """Links to the pages that it filled, each with the question it answers."""
    columns = st.columns(len(PAGES))
    for column, (page, title, question) in zip(columns, PAGES, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.page_link(page, label=f"**{title}**", icon=":material/arrow_forward:")
            st.caption(question)
