"""Runs: every run of the folder, what to do with them, and each in full."""

from __future__ import annotations

import streamlit as st

from app.panels.runs.one_run import one_run
from app.panels.runs.runs_table import actions, runs_table
from app.selection.workspace import run_store
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import show_errors

st.title("Runs", help="Every training of the runs folder, newest first")
table = run_store().list()
if table.empty:
    stop_without_runs()
counts = ", ".join(f"{n} {state}" for state, n in table["state"].value_counts().items())
st.markdown(f"**{len(table)} runs**: {counts}. Tick some to act on them; star, name and note them.")
with show_errors():
    actions(runs_table())
st.header("One run")
with show_errors():
    one_run(table)
