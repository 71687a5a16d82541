"""The pages and what this visitor looks at; ``app/main.py`` serves it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.selection.address import open_from_address, write_to_address
from app.selection.choice import choose_runs
from app.widgets.error_boundary import show_errors
from app.widgets.glossary import glossary

ICON = str(Path(__file__).with_name("icon.png"))
st.set_page_config(page_title="Basin", page_icon=ICON, layout="wide")
st.logo(ICON, size="large")

page = st.navigation(
    {
        "Learn": [
            st.Page("views/learn.py", title="Lessons", icon=":material/school:"),
            st.Page("views/playground.py", title="Playground", icon=":material/toys:"),
        ],
        "Your runs": [
            st.Page("views/overview.py", title="Overview", icon=":material/home:", default=True),
            st.Page("views/train.py", title="Train", icon=":material/model_training:"),
            st.Page("views/runs.py", title="Runs", icon=":material/list:"),
            st.Page("views/compare.py", title="Compare", icon=":material/leaderboard:"),
        ],
        "Flat or sharp?": [
            st.Page("views/landscape.py", title="Landscape", icon=":material/landscape:"),
            st.Page("views/curvature.py", title="Curvature", icon=":material/show_chart:"),
        ],
        "What does it know?": [
            st.Page("views/embeddings.py", title="Embeddings", icon=":material/scatter_plot:"),
        ],
        "What breaks it?": [
            st.Page("views/robustness.py", title="Robustness", icon=":material/shield:"),
        ],
    }
)
with show_errors():
    open_from_address()
    st.session_state["choice"] = choose_runs()
    write_to_address()
    glossary()
    page.run()
