"""Sweeps on the Train page: started, watched as their runs end, retried and gone on with."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts.text import escape, short
from app.panels.train.sweep_form import sweep_form
from app.selection.workspace import dataset_path, run_store
from app.widgets.downloads import csv_button
from app.widgets.error_boundary import show_error, show_errors
from app.widgets.quiet import spare_the_collector
from app.widgets.strategy_columns import strategy_columns
from engine.foundation.errors import BasinError
from engine.jobs import Job, active_jobs
from engine.studies.sweeps import Sweep, sweep_names, sweep_of
from engine.training import PRESETS

POLL_SECONDS = {True: 3.0, False: 20.0}
"""Between two looks at a sweep under way, and at one that rests: reading the records of some
hundred runs takes a noticeable part of a second."""

FIRST_COLUMNS = ("strategy", "seed", "state", "reason", "best_epoch")


def start_sweep() -> None:
    """The form and its button; says why a sweep is refused."""
    with st.container(border=True):
        name, config = sweep_form(list(PRESETS), sweep_names(run_store()))
        pressed = st.button(
            "Start the sweep", type="primary", icon=":material/grid_on:", disabled=config is None
        )
    if not pressed or config is None:
        return
    try:
        with st.spinner("Queueing ..."):
            sweep = Sweep.start(run_store(), name, dataset_path(), config)
            sweep.run_missing()
    except BasinError as error:
        show_error(error)
        return
    st.session_state["sweep.shown"] = sweep.name
    st.rerun()


def show_sweeps() -> None:
    """The sweeps of the runs folder, one of them in full."""
    names = sweep_names(run_store())
    if not names:
        st.info("There is no sweep yet. Choose settings above and press **Start the sweep**.")
        return
    if st.session_state.get("sweep.shown") not in names:
        st.session_state["sweep.shown"] = names[0]
    name = st.selectbox("Sweep", names, key="sweep.shown", width=360)
    metric = st.segmented_control(
        "Compared by", ["recall@20", "ndcg@20"], default="recall@20", required=True,
        key="sweep.metric", bind="query-params",
    )  # fmt: skip
    under_way = bool(jobs_of(sweep_of(run_store(), name)))
    watch = st.fragment(watch_sweep, run_every=POLL_SECONDS[under_way])
    watch(name, str(metric), under_way)


@show_errors()
def watch_sweep(name: str, metric: str, under_way: bool) -> None:
    """Its share done, what failed and why, the buttons that mend it, and its tables."""
    spare_the_collector()
    store = run_store()
    sweep = sweep_of(store, name)
    jobs = jobs_of(sweep)
    if bool(jobs) != under_way:
        st.rerun()
    table = sweep.table()
    counts = table["state"].value_counts()
    over = int(counts.reindex(["finished", "diverged", "failed", "cancelled"]).fillna(0).sum())
    words = ", ".join(f"{n} {word}" for word, n in counts.items())
    st.progress(over / max(len(table), 1), text=f"**{escape(short(name))}**: {words}")
    _buttons(sweep, table, jobs)
    for row in table[table["state"] == "failed"].head(5).itertuples():
        show_error(f"{row.strategy}, seed {row.seed}: {row.reason}")
    if counts.get("finished", 0):
        _comparison(sweep, metric)
    columns = [*FIRST_COLUMNS, f"valid.{metric}", f"test.{metric}", "run"]
    shown = table.reindex(columns=columns)
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=min(440, 38 + 35 * len(shown)),
        column_config={
            "strategy": "Strategy",
            "seed": number("Seed", format="%d"),
            "state": "State",
            "reason": "Reason",
            "best_epoch": number("Epoch", format="%d", help="Chosen by validation"),
            f"valid.{metric}": number(f"Valid {metric}", format="%.4f"),
            f"test.{metric}": number(f"Test {metric}", format="%.4f"),
            "run": "Run",
        },
    )
    csv_button(table, f"sweep-{name}")


def jobs_of(sweep: Sweep) -> list[Job]:
    """Queued and running jobs that train runs of a sweep."""
    runs = set(sweep.record["runs"].values())
    return [job for job in active_jobs(sweep.store) if runs & set(job.status().run_ids)]


def _buttons(sweep: Sweep, table: pd.DataFrame, jobs: list[Job]) -> None:
    at_work = {run for job in jobs for run in job.status().run_ids}
    stopped = table["state"].isin(["planned", "queued", "interrupted", "cancelled"])
    waiting = int((stopped & ~table["run"].isin(at_work)).sum())
    failed = int((table["state"] == "failed").sum())
    columns = st.columns(3)
    resume, retry, stop = columns
    if resume.button(
        f"Resume ({waiting})", disabled=not waiting, icon=":material/resume:", width="stretch",
        help="Trains what is missing; interrupted runs go on from their checkpoint",
    ):  # fmt: skip
        _run_missing(sweep, retry=False)
    if retry.button(
        f"Retry failed ({failed})", disabled=not failed, icon=":material/replay:", width="stretch",
        help="Trains failed runs again, and whatever else is missing",
    ):  # fmt: skip
        _run_missing(sweep, retry=True)
    if stop.button(
        f"Stop ({len(jobs)} jobs)", disabled=not jobs, icon=":material/stop_circle:",
        width="stretch", key=f"sweep.stop.{sweep.name}",
    ):  # fmt: skip
        for job in jobs:
            job.cancel()
        st.toast("Asked them to stop; they do at their next step.")


def _run_missing(sweep: Sweep, retry: bool) -> None:
    try:
        with st.spinner("Queueing ..."):
            started = sweep.run_missing(retry)
    except BasinError as error:
        show_error(error)
        return
    st.toast(f"{started} runs started.")
    st.rerun(scope="fragment")


def _comparison(sweep: Sweep, metric: str) -> None:
    compared = sweep.compare(metric)
    columns = ["strategy", "n_seeds", "valid", "test", "test_low", "test_high", "difference",
               "difference_low", "difference_high", "effect_size", "p_holm", "note"]  # fmt: skip
    shown = compared.reindex(columns=columns)
    st.dataframe(shown, hide_index=True, width="stretch", column_config=strategy_columns())
    st.caption(
        f"{escape(sweep.record['dataset'])}, {metric} of the runs that have ended, best on "
        "validation "
        "first; test at the epoch validation chose, 95 % t intervals over seeds, differences to "
        f"**{escape(compared.attrs['baseline'])}** paired by seed. Do not choose a setting by its "
        "test "
        "column."
    )
