"""Compare: all runs, and the chosen ones side by side with intervals."""

from __future__ import annotations

import streamlit as st

from app.panels.compare.learning import learning
from app.panels.compare.metrics import metrics_of_strategies
from app.panels.compare.report import offer_report
from app.panels.compare.runs_table import actions, runs_table
from app.panels.compare.settings import settings
from app.panels.compare.tradeoff import tradeoff
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Compare")
choice: Choice = st.session_state["choice"]
if run_store().list().empty:
    stop_without_runs()

st.header("All runs")
with show_errors():
    actions(runs_table())
if not choice.ids:
    stop_without_runs()

with show_errors():
    metrics_of_strategies(choice)
with show_errors():
    learning(choice)
with show_errors():
    tradeoff(choice)
settings(choice)
offer_report(choice)
