"""Curvature by epoch, for runs that kept weights along their training."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd
import streamlit as st

from app.charts.curvature.along_training import measure_by_epoch
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import TrainingCurvature


def along_training(choice: Choice) -> None:
    """The top eigenvalue and its invariant companions by epoch of each chosen run."""
    from engine.geometry import title_of

    store = run_store()
    runs = [run for run in choice.ids if store.get(run).snapshot_epochs]
    if not runs:
        st.info(
            "None of the chosen runs kept weights along its training. Train with *snapshots "
            "every* set, e.g. to 2, to see how curvature grows and what a strategy does to it."
        )
        return
    with st.expander("What is computed along training", icon=":material/tune:"):
        config = config_form(config_class("sharpening"), "sharpening", columns=3)
    if config is None:
        return
    found = results_or_offer(store, "sharpening", runs, config, "Measure along training")
    results = {choice.labels[r[0]]: cast("TrainingCurvature", c) for r, c in found.items()}
    if not results:
        return
    names = next(iter(results.values())).measures
    for column, name in zip(st.columns(len(names)), names, strict=True):
        figure = measure_by_epoch(results, name, choice.looks)
        column.plotly_chart(figure, config=CONFIG, alt=f"{title_of(name)} by epoch of each run")
    st.caption(f"{choice.dataset}, one seed a run. {escape(next(iter(results.values())).caption)}")
    frames = [result.to_frame().assign(label=label) for label, result in results.items()]
    table_and_csv(pd.concat(frames, ignore_index=True), "sharpening", "Along training")
