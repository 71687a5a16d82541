"""A report of the chosen runs to take away: one HTML file that needs nothing else."""

from __future__ import annotations

import streamlit as st

from app.selection.choice import Choice
from app.selection.workspace import run_store


def offer_report(choice: Choice) -> None:
    """A button that downloads the report, made when it is pressed."""
    st.download_button(
        "Download the report",
        data=lambda: _report(choice.ids),
        file_name="basin-report.html",
        mime="text/html",
        icon=":material/description:",
        on_click="ignore",
    )
    st.caption(
        "One HTML file (5 MB) with living figures, tables, settings and provenance of the chosen "
        "runs; `python -m app.report RUN ... --output FILE` makes the same."
    )


def _report(runs: list[str]) -> bytes:
    from app.report import report_of

    return report_of(run_store(), runs).encode()
