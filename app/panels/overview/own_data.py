"""Own data: a report on the dataset before it is used, and the upload of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.charts.text import escape
from app.selection.workspace import look_at_dataset, uploads_folder
from app.widgets.items import cards

if TYPE_CHECKING:
    from engine.data import Dataset


def check_report(dataset: Dataset) -> None:
    """What was read, what is missing, what was dropped, and some items."""
    from engine.data.readers import format_of
    from engine.data.readers.check import report

    st.subheader("Check of this dataset")
    check = report(dataset, format_of(dataset.source))
    for warning in check.warnings:
        st.warning(escape(warning))
    if not check.warnings:
        st.success("Nothing is missing or repeated.")
    left, right = st.columns(2, gap="large")
    left.markdown(f"**Counts** (format {check.format})")
    left.table({"count": {name: f"{count:,}" for name, count in check.counts.items()}})
    if len(check.features):
        right.markdown("**Features:** items all of whose features are zero, or equal another's")
        right.dataframe(check.features, hide_index=True)
    right.markdown("**How it was read**")
    for note in check.notes:
        right.markdown(f"- {escape(note)}")
    st.markdown("**Most popular items**")
    cards.item_grid(dataset.items.loc[dataset.popularity.argsort()[::-1][: len(check.preview)]])


def upload() -> None:
    """A zip or table of one's own, checked before it is used."""
    from engine.data.readers.check import check_dataset
    from engine.data.readers.uploads import keep_upload

    st.subheader("Upload a dataset")
    st.caption(
        "A table of interactions (CSV, TSV, Parquet), or a zip of a folder in any format that "
        "Basin reads: MMRec / Mirror Gradient, AMR, Cornac, tables. It stays on this server."
    )
    file = st.file_uploader("Zip or table", type=["zip", "csv", "tsv", "parquet"])
    if file is None:
        return
    folder, notes = keep_upload(file.name, file, uploads_folder())
    check = check_dataset(folder)
    for note in notes:
        st.warning(escape(note))
    if not check.is_usable:
        st.error(escape(check.problem))
        return
    counts = check.counts
    st.success(
        f"Format {check.format}: {counts['users']:,} users, {counts['items']:,} items, "
        f"{counts['interactions']:,} interactions."
    )
    for note in (*check.notes, *check.warnings):
        st.markdown(f"- {escape(note)}")
    if st.button("Use this dataset", type="primary"):
        look_at_dataset(str(folder))
        st.rerun()
