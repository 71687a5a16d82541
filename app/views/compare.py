"""Compare: all runs, and the chosen ones side by side with intervals."""

from __future__ import annotations

import streamlit as st

from app.charts import learning
from app.charts import metrics as charts
from app.charts.style import CONFIG
from app.panels.compare import metrics as comparison
from app.panels.compare import runs_table
from app.selection import state
from app.widgets.downloads import csv_button, table_and_csv
from app.widgets.empty_states import stop_without_runs
from app.widgets.error_boundary import errors_shown

COLUMNS = comparison.column_help()

st.title("Compare")
choice = st.session_state["choice"]
if state.store().list().empty:
    stop_without_runs()

st.header("All runs")
with errors_shown():
    runs_table.actions(runs_table.runs_table())
if not choice.ids:
    stop_without_runs()

st.header("Test metrics of the chosen runs")
left, right = st.columns([3, 2])
kinds = left.pills(
    "Metrics",
    ["recall", "ndcg", "precision", "map", "hr"],
    selection_mode="multi",
    default=["recall", "ndcg"],
    key="metrics",
    persist_state="session",
)
cutoff = right.segmented_control(
    "In the first", [5, 10, 20, 50], default=20, required=True, key="cutoff", bind="query-params"
)
metrics = [f"{kind}@{cutoff}" for kind in kinds]
values = comparison.seeds_table(choice.table, metrics)
if metrics and len(values):
    with st.spinner("Loading the engine ..."):
        intervals = comparison.intervals_table(values, metrics)
    groups = list(dict.fromkeys(values["group"]))
    looks = comparison.looks_of_groups(values, choice)
    figure = charts.metric_dots(intervals, values, metrics, looks)
    st.plotly_chart(figure, config=CONFIG, alt="Test metrics of each group of runs")
    counts = ", ".join(f"{g}: {n}" for g, n in values.groupby("group", sort=False).size().items())
    st.caption(
        f"{choice.dataset}, test split, all items ranked with the user's training items left out, "
        f"mean over users, at the epoch validation chose. Seeds ({counts}): small dots are seeds, "
        "large markers their mean, bars its 95 % interval (Student's t over seeds; none for one "
        "seed). Train with several seeds to see how much is chance."
    )
    table_and_csv(intervals, "test-metrics")

    if len(groups) > 1:
        st.subheader("Difference to a baseline")
        left, right = st.columns(2)
        usual = groups.index("plain") if "plain" in groups else 0
        baseline = left.selectbox("Baseline", groups, index=usual, key="baseline")
        metric = right.selectbox("Metric", metrics, key="difference")
        table = comparison.strategies_table(state.store(), values, metric, baseline)
        gaps = comparison.differences_over(table)
        if len(gaps):
            figure = charts.paired_differences(gaps, baseline, metric, looks)
            st.plotly_chart(figure, config=CONFIG, alt=f"Difference in {metric} to {baseline}")
            st.caption(comparison.differences_caption(gaps, choice.dataset, baseline, metric))
        else:
            st.info(f"No seed is shared with {baseline}; a paired difference needs equal seeds.")
        st.dataframe(
            table, hide_index=True, width="stretch", column_config=COLUMNS, column_order=COLUMNS
        )
        st.caption(comparison.COST_CAPTION)
        csv_button(table, "strategies")
elif metrics:
    st.info("None of the chosen runs has test metrics: their dataset has no test interactions.")

st.header("How training went")
with errors_shown():
    epochs = {choice.labels[run]: state.store().get(run).events("epoch") for run in choice.ids}
    config = choice.first().config
    chosen_by = f"{config['validation_metric']}@{config['validation_cutoff']}"
    left, right = st.columns(2)
    figure = learning.validation_curves(epochs, chosen_by, choice.looks)
    left.plotly_chart(figure, config=CONFIG, alt=f"Validation {chosen_by} by epoch")
    figure = learning.loss_curves(epochs, choice.looks)
    right.plotly_chart(figure, config=CONFIG, alt="Training loss by epoch")
    st.caption(learning.learning_caption(epochs, chosen_by))
    if mirrored := learning.mirror_runs(epochs):
        st.subheader("What the mirror half-step did")
        for side, column in zip(st.columns(2), learning.MIRROR, strict=True):
            figure = learning.mirror_curves(mirrored, column, choice.looks)
            side.plotly_chart(figure, config=CONFIG, alt=f"Mirror half-step: {column} by epoch")
        st.caption(learning.mirror_caption(mirrored))

st.header("Settings that differ")
differing = comparison.settings_that_differ(choice.table)
if len(differing):
    st.dataframe(differing, hide_index=True, width="stretch")
    csv_button(differing, "settings")
else:
    st.caption("The chosen runs have the same settings.")
