"""How training went: validation and loss by epoch, and what the mirror half-step did."""

from __future__ import annotations

import streamlit as st

from app.charts import learning as charts
from app.charts.style import CONFIG
from app.selection.choice import Choice
from app.selection.workspace import run_store


def learning(choice: Choice) -> None:
    """Curves of the chosen runs by epoch."""
    epochs = {choice.labels[run]: run_store().get(run).events("epoch") for run in choice.ids}
    config = choice.first().config
    chosen_by = f"{config['validation_metric']}@{config['validation_cutoff']}"
    left, right = st.columns(2)
    figure = charts.validation_curves(epochs, chosen_by, choice.looks)
    left.plotly_chart(figure, config=CONFIG, alt=f"Validation {chosen_by} by epoch")
    figure = charts.loss_curves(epochs, choice.looks)
    right.plotly_chart(figure, config=CONFIG, alt="Training loss by epoch")
    st.caption(charts.learning_caption(epochs, chosen_by))
    if mirrored := charts.mirror_runs(epochs):
        st.subheader("What the mirror half-step did")
        for side, column in zip(st.columns(2), charts.MIRROR, strict=True):
            figure = charts.mirror_curves(mirrored, column, choice.looks)
            side.plotly_chart(figure, config=CONFIG, alt=f"Mirror half-step: {column} by epoch")
        st.caption(charts.mirror_caption(mirrored))
