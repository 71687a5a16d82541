"""Compare: which training ranks best, and by how much?"""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.panels.compare.differences import differences
from app.panels.compare.learning import learning
from app.panels.compare.metrics import metrics_of_strategies
from app.panels.compare.report import offer_report
from app.panels.compare.settings import settings
from app.panels.compare.tradeoff import tradeoff
from app.selection.choice import Choice
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors
from app.widgets.glossary import explain
from app.widgets.lazy_tabs import lazy_tabs

st.title("Compare", help=explain("Recall@k", "NDCG@k", "Seed", "Interval", "Baseline"))
choice: Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
metrics: list[str] = []
with show_errors():
    metrics = metrics_of_strategies(choice)
lazy_tabs(
    "compare",
    {
        "Difference to a baseline": partial(differences, choice, metrics),
        "Reliance and robustness": partial(tradeoff, choice),
        "How training went": partial(learning, choice),
        "Settings that differ": partial(settings, choice),
        "Report": partial(offer_report, choice),
    },
)
