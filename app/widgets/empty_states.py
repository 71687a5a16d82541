"""What a page says when there is nothing to show yet, and the button that mends it."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from app.selection.choice import trained_runs
from app.widgets import demonstration_button as demonstration


def stop_without_runs() -> NoReturn:
    """One sentence and a button, in place of the rest of the page."""
    status = demonstration.newest_status()
    if status is not None and not status.is_over:
        demonstration.watch_demonstration()
    elif len(trained_runs()):
        st.info("Choose at least one run on the left.", icon=":material/arrow_back:")
    else:
        st.info("Nothing is trained yet, so there is nothing to show here.")
        demonstration.start_button(first=True)
        st.page_link("views/train.py", label="Or train a model of your own")
    st.stop()
