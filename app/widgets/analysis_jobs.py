"""Long work from a page: ask for it, watch it, stop it, and pick up its result.

Pages never compute. What was computed before is read from the runs' folders; what is missing is
asked for as a job, which goes on when the page is closed and is seen again when it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts.text import escape
from app.selection.workspace import run_store
from app.widgets.error_boundary import show_error, show_errors
from app.widgets.quiet import spare_the_collector
from engine.foundation.config import Config
from engine.foundation.errors import BasinError, ConfigError
from engine.foundation.result import Result
from engine.jobs import Job, active_jobs, find_job, submit
from engine.runs import RunStore
from engine.studies.analysis_results import find_result, result_key
from engine.studies.analysis_table import known_analysis

POLL_SECONDS = 1.0
LOG_BYTES = 4000
"""Of the end of a log that a page shows."""
LOG_LINES = 12
"""Of a job under way."""


def results_or_offer(
    store: RunStore, kind: str, runs: Sequence[str], config: Config, verb: str
) -> dict[tuple[str, ...], Result]:
    """The kept results of an analysis with these settings, by the runs each one is about.

    One result for all runs where the analysis compares them, else one for each run. Below it draws
    what is still missing: a button that computes it, or the progress of the jobs that do.
    """
    asked = [tuple(runs)] if known_analysis(kind).compares else [(run,) for run in runs]
    values = config.model_dump(mode="json")
    results = {names: _readable_result(store, kind, names, config) for names in asked}
    missing = [names for names, result in results.items() if result is None]
    active = active_analyses(store, kind)
    running = {n: job for n in missing if (job := active.get(result_key(n, values)))}
    idle = [names for names in missing if names not in running]
    remembered: dict[str, str] = st.session_state.setdefault("asked", {})
    if running:
        remembered |= {result_key(n, values): job.id for n, job in running.items()}
        watch([job.id for job in running.values()])
    for names in idle:
        _say_why_it_failed(store, remembered.get(result_key(names, values)))
    if idle and st.button(verb, type="primary", icon=":material/play_arrow:", key=f"ask.{kind}"):
        for names in idle:
            params = {"runs": list(names), "config": values}
            remembered[result_key(names, values)] = submit(store, kind, params, names).id
        st.rerun()
    return {names: result for names, result in results.items() if result is not None}


def _readable_result(
    store: RunStore, kind: str, runs: Sequence[str], config: Config
) -> Result | None:
    """The result on disk; of a damaged one the page says so, and it can be computed again."""
    try:
        return find_result(store, kind, runs, config)
    except ConfigError:
        raise
    except BasinError as error:
        show_error(f"{error} It can be computed again.")
        return None


def active_analyses(store: RunStore, kind: str) -> dict[str, Job]:
    """Queued and running jobs of one kind, by the key of the result they will leave."""
    jobs = {}
    for job in active_jobs(store):
        if job.task == kind:
            checked = known_analysis(kind).config_class().parse(job.params.get("config") or {})
            jobs[result_key(job.params["runs"], checked.model_dump(mode="json"))] = job
    return jobs


def is_under_way(store: RunStore, kind: str, runs: Sequence[str], config: Config) -> bool:
    """Whether a job is queued or running that will leave the result with these settings."""
    return result_key(runs, config.model_dump(mode="json")) in active_analyses(store, kind)


def _say_why_it_failed(store: RunStore, job_id: str | None) -> None:
    if job_id is None:
        return
    job = find_job(store, job_id)
    status = job.status()
    if status.state == "cancelled":
        st.info("This was cancelled.", icon=":material/cancel:")
    elif status.is_over and status.state != "finished":
        show_error(f"This {status.state}: {status.reason}")
        with st.expander("Log"):
            show_log(job)


@st.fragment(run_every=POLL_SECONDS)
@show_errors()
def watch(job_ids: list[str]) -> None:
    """Bars of jobs under way, each with a button to stop it; reloads the page when all are over."""
    spare_the_collector()
    statuses = []
    for job_id in job_ids:
        try:
            job = find_job(run_store(), job_id)
            status = job.status()
        except BasinError as error:
            show_error(error)
            continue
        statuses.append(status)
        if not status.is_over:
            progress_row(job)
    if all(status.is_over for status in statuses):
        st.rerun()


def progress_row(job: Job, name: str = "") -> None:
    """One job: what it does, how far it is, how long it will take, and a button to stop it."""
    status = job.status()
    bar, log, stop = st.columns([6, 1, 1], vertical_alignment="center")
    left = (
        "" if status.seconds_left is None else f", about {max(status.seconds_left, 1):.0f} s left"
    )
    doing = "waiting for a free worker" if status.state == "queued" else status.message
    bar.progress(
        min(max(status.share, 0.0), 1.0),
        text=f"**{escape(name or job.task)}**: {escape(doing)}{left}",
    )
    with log.popover("Log", width="stretch"):
        show_log(job, LOG_LINES)
    if stop.button("Stop", key=f"stop.{job.id}", icon=":material/stop_circle:", width="stretch"):
        job.cancel()
        st.toast("Asked it to stop; it does at its next step.")


def show_log(job: Job, most_lines: int | None = None) -> None:
    """The end of a job's log, and where all of it is."""
    lines = job.log(LOG_BYTES).splitlines()
    shown = lines[-most_lines:] if most_lines else lines
    st.code("\n".join(shown) or "It has not started.", language=None)
    st.caption(f"{job.path / 'log.txt'}")


def config_class(kind: str) -> type[Config]:
    """The class of an analysis's settings; imports the room it lives in."""
    with st.spinner("Loading the engine ..."):
        return known_analysis(kind).config_class()
