"""Starting trainings from a page, and watching those under way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.charts import learning
from app.charts.style import CONFIG, looks
from app.charts.text import escape, short
from app.selection.workspace import dataset_path, open_dataset, run_store
from app.widgets.analysis_jobs import progress_row
from app.widgets.error_boundary import show_errors
from app.widgets.quiet import spare_the_collector
from app.widgets.resume import jobs_under_way, resume, stopped_runs
from engine.foundation.errors import BasinError
from engine.jobs import Job, JobStatus, submit
from engine.runs import Run

if TYPE_CHECKING:
    from engine.training import TrainConfig

CURVES = 6
"""Running and newly ended runs whose curves are drawn."""

BARS = 8
"""Trainings under way that have a bar each; a sweep may queue hundreds."""

OFFERED = 5
"""Stopped runs that are offered to go on with, newest first."""

ICONS = {
    "interrupted": ":material/power_off:",
    "cancelled": ":material/cancel:",
    "failed": ":material/error:",
}


def start(config: TrainConfig, name: str, n_seeds: int) -> list[str]:
    """Queue one run a seed, from the config's seed upwards; returns the run ids.

    Raises BasinError, and makes no run, where the config does not fit the dataset.
    """
    from engine.studies.new_run import create_run
    from engine.training.preflight import check_fits

    store, path, runs = run_store(), dataset_path(), []
    check_fits(config, open_dataset(path))
    for seed in range(config.seed, config.seed + n_seeds):
        full = f"{name}, seed {seed}" if n_seeds > 1 else name
        runs.append(create_run(store, path, config.changed({"seed": seed}), full).id)
    for run in runs:
        submit(store, "train", {"run": run}, [run])
    st.session_state.setdefault("trainings_seen", []).extend(runs)
    return runs


@st.fragment(run_every=1.0)
@show_errors()
def watch_trainings() -> None:
    """Bars, buttons to stop, and live curves; what ended stays until the page is left."""
    spare_the_collector()
    store = run_store()
    seen: list[str] = st.session_state.setdefault("trainings_seen", [])
    active = jobs_under_way()
    standing = [job.status() for job in active]
    busy = [run for status in standing for run in status.run_ids]
    seen += [run for run in busy if run not in seen]
    if not seen:
        st.info("Nothing is being trained. Choose settings above and start a training.")
        return
    for job in active[:BARS]:
        progress_row(job, names_of(job))
    if len(active) > BARS:
        st.caption(f"{len(active) - BARS} more trainings wait.")
    present = [
        i for i in runs_to_draw(seen, standing) if (store.root / i / "config.json").is_file()
    ]
    runs = [store.get(run_id) for run_id in present]
    offered = st.session_state.get("trainings_offered", [])
    for run in runs:
        if run.id not in [*busy, *offered] and run.status.is_over:
            _show_end(run)
    _curves(runs)


def runs_to_draw(seen: Sequence[str], standing: Sequence[JobStatus]) -> list[str]:
    """Which of the runs seen have curves: those that ended last, then those at work; none waits."""
    busy = {run for status in standing for run in status.run_ids}
    running = [run for s in standing if s.state == "running" for run in s.run_ids]
    return [*(run for run in seen if run not in busy), *running][-CURVES:]


def names_of(job: Job) -> str:
    """What a job's runs are called, in one line."""
    names = []
    for run in job.status().run_ids:
        with suppress(BasinError):  # deleted meanwhile
            names.append(run_store().get(run).name)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{short(names[0])}{more}" if names else job.task


def offer_to_resume() -> None:
    """Runs that stopped before their end and why, each with a button that goes on with it."""
    stopped = stopped_runs()
    st.session_state["trainings_offered"] = list(stopped["id"].head(OFFERED))
    if stopped.empty:
        return
    st.subheader("Stopped before the end")
    for run in stopped.head(OFFERED).itertuples():
        text, button = st.columns([6, 1], vertical_alignment="center")
        text.warning(_why_it_stopped(run.name, run.state, run.reason), icon=ICONS[str(run.state)])
        _resume_button(button, str(run.id), "offer")
    if len(stopped) > OFFERED:
        st.caption(f"{len(stopped) - OFFERED} older ones are in the table on the page Runs.")
    if len(stopped) > 1 and st.button(f"Resume all {len(stopped)}", icon=":material/resume:"):
        resume(list(stopped["id"]))
        st.rerun()


def _why_it_stopped(name: object, state: object, reason: object) -> str:
    was = "was " if state in ("interrupted", "cancelled") else ""
    return f"**{escape(short(name))}** {was}{state}. {escape(reason or '')}"


def _resume_button(place: Any, run: str, key: str) -> None:
    if place.button(
        "Resume", icon=":material/resume:", key=f"resume.{key}.{run}", width="stretch",
        help="Goes on from its last checkpoint",
    ):  # fmt: skip
        resume([run])
        st.rerun()


def _show_end(run: Run) -> None:
    """How a run ended; where it stopped on the way, why, with a button to go on."""
    status = run.status
    if status.state in ("finished", "diverged"):
        summary = run.summary
        took = f", {status.seconds:.0f} s" if status.seconds is not None else ""
        chosen = f"epoch {summary.get('best_epoch')} chosen by {summary.get('selected_by')}"
        st.success(
            f"**{escape(short(run.name))}** {status.state}: {chosen}{took}.",
            icon=":material/check_circle:",
        )
    else:
        text, button = st.columns([6, 1], vertical_alignment="center")
        words = _why_it_stopped(run.name, status.state, status.reason)
        text.warning(words, icon=ICONS.get(status.state))
        _resume_button(button, run.id, "ended")


def _curves(runs: list[Run]) -> None:
    epochs: dict[str, pd.DataFrame] = {}
    metric = "recall@20"
    for run in runs:
        frame = run.events("epoch")
        if len(frame):
            label = run.name if run.name not in epochs else f"{run.name} · {run.id[-4:]}"
            epochs[label] = frame
            config = run.config
            metric = f"{config['validation_metric']}@{config['validation_cutoff']}"
    if not epochs:
        return
    colours = looks(list(epochs))
    left, right = st.columns(2)
    figure = learning.validation_curves(epochs, metric, colours)
    left.plotly_chart(figure, config=CONFIG, key="live.valid", alt=f"Validation {metric} by epoch")
    figure = learning.loss_curves(epochs, colours)
    right.plotly_chart(figure, config=CONFIG, key="live.loss", alt="Training loss by epoch")
    st.caption(learning.learning_caption(epochs, metric))
