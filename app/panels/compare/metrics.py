"""Test metrics of the chosen runs by strategy, with intervals, and differences to a baseline."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts import metrics as charts
from app.charts.style import CONFIG, Look
from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.answers import leader_sentence
from app.widgets.downloads import table_and_csv

KINDS = ("recall", "ndcg", "precision", "map", "hr")
CUTOFFS = (5, 10, 20, 50)


def metrics_of_strategies(choice: Choice) -> list[str]:
    """The answer in a sentence, and the chosen metrics with intervals; returns their names."""
    answer, picture = st.container(), st.container()
    left, right = st.columns([3, 2])
    kinds = left.pills(
        "Metrics", KINDS, selection_mode="multi", default=["recall", "ndcg"], key="metrics",
        bind="query-params",
        persist_state="session",
    )  # fmt: skip
    cutoff = right.segmented_control(
        "In the first", CUTOFFS, default=20, required=True, key="cutoff", bind="query-params"
    )
    metrics = [f"{kind}@{cutoff}" for kind in kinds]
    if not metrics:
        return []
    with st.spinner("Loading the engine ..."):
        from engine.evaluation import metric_intervals
        from engine.runs.comparison.comparison_tables import seeds_table
    values = seeds_table(choice.table, metrics)
    if values.empty:
        st.info("None of the chosen runs has test metrics: their dataset has no test interactions.")
        return []
    intervals, looks = metric_intervals(values, metrics), looks_of_strategies(values, choice)
    figure = charts.metric_dots(intervals, values, metrics, looks)
    sentence = best_sentence(values, metrics[0])
    answer.markdown(sentence)
    alt = sentence.replace("**", "")
    picture.plotly_chart(figure, config=CONFIG, key="metrics.chart", alt=alt)
    counts = ", ".join(
        f"{escape(g)}: {n}" for g, n in values.groupby("group", sort=False).size().items()
    )
    st.caption(
        f"{choice.dataset}, test split, all items ranked with the user's training items left out, "
        f"mean over users, at the epoch validation chose. Seeds ({counts}): small dots are seeds, "
        "large markers their mean, bars its 95 % interval (Student's t over seeds; none for one "
        "seed). Train with several seeds to see how much is chance."
    )
    table_and_csv(intervals, "test-metrics")
    return metrics


def best_sentence(values: pd.DataFrame, metric: str) -> str:
    """Which strategy ranks best and worst on the test split."""
    table = values[["group", metric]].rename(columns={metric: "value"})
    return leader_sentence(
        table,
        "**{best}** has the best test " + metric + " (**{best_value}**), **{worst}** the worst "
        "(**{worst_value}**).",
        "**{best}** has a test " + metric + " of **{best_value}**.",
        "{:.4f}",
    )


def looks_of_strategies(values: pd.DataFrame, choice: Choice) -> dict[str, Look]:
    """Each strategy is drawn like its oldest chosen run."""
    firsts = values.sort_values("id").drop_duplicates("group")
    return {
        group: choice.looks[choice.labels[run]]
        for group, run in zip(firsts["group"], firsts["id"], strict=True)
    }
