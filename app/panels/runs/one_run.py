"""One run: how it stands and why, its settings, what made it, how training went, and its log."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import learning as charts
from app.charts.style import CONFIG, looks
from app.charts.text import escape, short
from app.selection.choice import look_at_runs
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import show_log
from app.widgets.downloads import table_and_csv
from app.widgets.flat_values import flat_values
from app.widgets.lazy_tabs import lazy_tabs
from app.widgets.resume import STOPPED, resume
from engine.jobs import jobs
from engine.runs import Run


def one_run(table: pd.DataFrame) -> None:
    """Choose a run of the table; all that its folder says."""
    names = dict(zip(table["id"], table["name"], strict=True))
    run_id = st.selectbox(
        "Run", list(names), format_func=lambda i: f"{short(names[i])} · {i}", key="run",
        bind="query-params", help="The address names this run, so that a link opens it again",
    )  # fmt: skip
    run = run_store().get(str(run_id))
    _how_it_stands(run)
    lazy_tabs(
        "about",
        {
            "Settings": partial(_settings, run),
            "What made it": partial(_provenance, run),
            "How training went": partial(_learning, run),
            "Log": partial(_log, run),
        },
    )


def _how_it_stands(run: Run) -> None:
    status, summary = run.status, run.summary
    reason = f": {escape(status.reason)}" if status.reason else ""
    st.markdown(f"**{escape(run.name)}** {status.state}{reason}")
    test = summary.get("test", {})
    facts = {
        "Best epoch": summary.get("best_epoch", "–"),
        "Test recall@20": _number(test.get("recall@20")),
        "Test NDCG@20": _number(test.get("ndcg@20")),
        "Wall time": "–" if status.seconds is None else f"{status.seconds:.0f} s",
    }
    for column, (name, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, value)
    look, go_on, _ = st.columns([1, 1, 3])
    look.button(
        "Look at this run", icon=":material/visibility:", key="one.look", width="stretch",
        disabled=status.state not in ("finished", "diverged"),
        on_click=look_at_runs, args=([run.id],),
    )  # fmt: skip
    if go_on.button(
        "Resume", icon=":material/resume:", key="one.resume", width="stretch",
        disabled=status.state not in STOPPED, help="Goes on from its last checkpoint",
    ):  # fmt: skip
        resume([run.id])
        st.rerun()
    st.caption(f"Folder: {escape(run.path)}")


def _number(value: Any) -> str:
    return "–" if value is None else f"{float(value):.4f}"


def _settings(run: Run) -> None:
    rows = pd.DataFrame(list(flat_values(run.config)), columns=["setting", "value"])
    table_and_csv(rows, "run-settings", "All settings")
    config = rows[~rows["value"].isin(["", "None"])]
    st.dataframe(config, hide_index=True, height=380)


def _provenance(run: Run) -> None:
    rows = pd.DataFrame(list(flat_values(run.provenance)), columns=["what", "value"])
    st.dataframe(rows, hide_index=True, height=380)


def _learning(run: Run) -> None:
    epochs = run.events("epoch")
    if epochs.empty:
        st.info("It has not finished an epoch.")
        return
    chosen_by = f"{run.config['validation_metric']}@{run.config['validation_cutoff']}"
    by_name, style = {run.name: epochs}, looks([run.name])
    left, right = st.columns(2)
    figure = charts.validation_curves(by_name, chosen_by, style)
    left.plotly_chart(figure, config=CONFIG, key="one.valid", alt=f"Validation {chosen_by}")
    figure = charts.loss_curves(by_name, style)
    right.plotly_chart(figure, config=CONFIG, key="one.loss", alt="Training loss by epoch")
    st.caption(charts.learning_caption(by_name, chosen_by))


def _log(run: Run) -> None:
    made_by = [job for job in jobs(run_store()) if run.id in job.status().run_ids]
    if not made_by:
        st.info("No log of it is kept any more.")
    for job in made_by[:3]:
        status = job.status()
        st.markdown(f"**{escape(job.task)}** {status.state} {escape(status.reason)}")
        show_log(job)
