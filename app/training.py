"""Starting trainings from a page, and watching those under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import state
from app.charts import learning
from app.charts.style import CONFIG, looks
from app.quiet import spare_the_collector
from app.work import progress_row
from engine.jobs import Job, active_jobs, submit
from engine.runs import Run

if TYPE_CHECKING:
    from engine.training import TrainConfig

CURVES = 6
"""Running and newly ended runs whose curves are drawn."""


def start(config: TrainConfig, name: str, n_seeds: int) -> list[str]:
    """Queue one run a seed, from the config's seed upwards; returns the run ids."""
    from engine.jobs.work import create_run

    store, runs = state.store(), []
    for seed in range(config.seed, config.seed + n_seeds):
        full = f"{name}, seed {seed}" if n_seeds > 1 else name
        run = create_run(store, state.dataset_path(), config.changed({"seed": seed}), full)
        submit(store, "train", {"run": run.id}, [run.id])
        runs.append(run.id)
    return runs


def jobs_under_way() -> list[Job]:
    """Trainings that are queued or running, whoever asked for them, oldest first."""
    return [job for job in reversed(active_jobs(state.store())) if job.task == "train"]


@st.fragment(run_every=1.0)
def watch_trainings() -> None:
    """Bars, buttons to stop, and live curves; what ended stays until the page is left."""
    spare_the_collector()
    store = state.store()
    seen: list[str] = st.session_state.setdefault("trainings_seen", [])
    active = jobs_under_way()
    seen += [run for job in active if (run := str(job.params["run"])) not in seen]
    if not seen:
        st.info("Nothing is being trained. Choose settings above and press **Train**.")
        return
    for job in active:
        progress_row(job, store.get(str(job.params["run"])).name)
    kept = [i for i in seen[-CURVES:] if (store.root / i / "config.json").is_file()]
    runs = [store.get(run_id) for run_id in kept]
    for shown in runs:
        if shown.status.is_over:
            _how_it_ended(shown)
    _curves(runs)


def _how_it_ended(run: Run) -> None:
    status = run.status
    name, state_words = run.name, {"finished": "finished", "diverged": "diverged"}
    if status.state in state_words:
        summary = run.summary
        took = f", {status.seconds:.0f} s" if status.seconds is not None else ""
        chosen = f"epoch {summary.get('best_epoch')} chosen by {summary.get('selected_by')}"
        st.success(f"**{name}** {status.state}: {chosen}{took}.", icon=":material/check_circle:")
    else:
        st.warning(f"**{name}** {status.state}. {status.reason}", icon=":material/cancel:")


def _curves(runs: list[Run]) -> None:
    named: dict[str, pd.DataFrame] = {}
    metric = "recall@20"
    for run in runs:
        frame = run.events("epoch")
        if len(frame):
            label = run.name if run.name not in named else f"{run.name} · {run.id[-4:]}"
            named[label] = frame
            config = run.config
            metric = f"{config['validation_metric']}@{config['validation_cutoff']}"
    if not named:
        return
    colours = looks(list(named))
    left, right = st.columns(2)
    figure = learning.validation_curves(named, metric, colours)
    left.plotly_chart(figure, config=CONFIG, key="live.valid", alt=f"Validation {metric} by epoch")
    figure = learning.loss_curves(named, colours)
    right.plotly_chart(figure, config=CONFIG, key="live.loss", alt="Training loss by epoch")
    st.caption(learning.learning_caption(named, metric))
