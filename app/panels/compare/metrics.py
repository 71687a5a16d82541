"""Test metrics of the chosen runs by strategy, with intervals, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.charts import metrics as charts
from app.charts.style import CONFIG, Look
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.downloads import csv_button, table_and_csv
from app.widgets.strategy_columns import strategy_columns
from engine.runs import RunStore

KINDS = ("recall", "ndcg", "precision", "map", "hr")
CUTOFFS = (5, 10, 20, 50)

COST_CAPTION = (
    "Strategies are ordered by validation. Gradient passes and wall time are means over a "
    "strategy's runs: a strategy that took more passes had more training, so compare it with a "
    "baseline of equal passes too."
)


def metrics_of_strategies(choice: Choice) -> None:
    """Choose metrics; their means with intervals, then the differences to a baseline."""
    st.header("Test metrics of the chosen runs")
    left, right = st.columns([3, 2])
    kinds = left.pills(
        "Metrics", KINDS, selection_mode="multi", default=["recall", "ndcg"], key="metrics",
        persist_state="session",
    )  # fmt: skip
    cutoff = right.segmented_control(
        "In the first", CUTOFFS, default=20, required=True, key="cutoff", bind="query-params"
    )
    metrics = [f"{kind}@{cutoff}" for kind in kinds]
    if not metrics:
        return
    with st.spinner("Loading the engine ..."):
        from engine.evaluation import metric_intervals
        from engine.runs.comparison.comparison_tables import seeds_table
    values = seeds_table(choice.table, metrics)
    if values.empty:
        st.info("None of the chosen runs has test metrics: their dataset has no test interactions.")
        return
    intervals, looks = metric_intervals(values, metrics), looks_of_strategies(values, choice)
    figure = charts.metric_dots(intervals, values, metrics, looks)
    st.plotly_chart(figure, config=CONFIG, alt="Test metrics of each strategy")
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
    if values["group"].nunique() > 1:
        _differences(choice, values, metrics, looks)


def _differences(
    choice: Choice, values: pd.DataFrame, metrics: list[str], looks: Mapping[str, Look]
) -> None:
    """One metric of each strategy minus that of a baseline, over seeds and over users."""
    from engine.runs.comparison.comparison_tables import baseline_differences

    st.subheader("Difference to a baseline")
    groups = list(dict.fromkeys(values["group"]))
    left, right = st.columns(2)
    usual = groups.index("plain") if "plain" in groups else 0
    baseline = left.selectbox("Baseline", groups, index=usual, key="baseline")
    metric = right.selectbox("Metric", metrics, key="difference")
    strategies = dict(zip(values["id"], values["group"], strict=True))
    stamps = tuple(run_store().get(run).status.ended for run in strategies)
    table = _strategies_table(str(run_store().root), strategies, stamps, metric, baseline)
    gaps = baseline_differences(table)
    if len(gaps):
        figure = charts.paired_differences(gaps, baseline, metric, looks)
        st.plotly_chart(figure, config=CONFIG, alt=f"Difference in {metric} to {baseline}")
        st.caption(differences_caption(gaps, choice.dataset, baseline, metric))
    else:
        st.info(
            f"No seed is shared with {escape(baseline)}; a paired difference needs equal seeds."
        )
    columns = strategy_columns()
    st.dataframe(
        table, hide_index=True, width="stretch", column_config=columns, column_order=columns
    )
    st.caption(COST_CAPTION)
    csv_button(table, "strategies")


@st.cache_data(show_spinner="Comparing user by user ...", max_entries=64)
def _strategies_table(
    root: str, strategies: dict[str, str], ended: tuple[str, ...], metric: str, baseline: str
) -> pd.DataFrame:
    from engine.runs.comparison.comparison_tables import strategies_table

    del ended  # only part of the key: a run trained again is read again
    return strategies_table(RunStore(root), strategies, metric, baseline)


def looks_of_strategies(values: pd.DataFrame, choice: Choice) -> dict[str, Look]:
    """Each strategy is drawn like its oldest chosen run."""
    firsts = values.sort_values("id").drop_duplicates("group")
    return {
        group: choice.looks[choice.labels[run]]
        for group, run in zip(firsts["group"], firsts["id"], strict=True)
    }


def differences_caption(gaps: pd.DataFrame, dataset: str, baseline: str, metric: str) -> str:
    """Which interval is over what, and which differences may be chance."""
    seeds, users = (gaps[gaps["over"] == over] for over in ("seeds", "users"))
    text = (
        f"{dataset}, test {metric} minus that of {escape(baseline)}, at the epoch validation "
        "chose; runs "
        "are paired by seed. **Filled, over seeds**: Student's t interval at 95 %: would other "
        "seeds show it too? "
    )
    if len(users):
        text += (
            f"**Open, over users**: 95 % bootstrap interval of the same difference over "
            f"{int(users['n'].max()):,} users, each averaged over the paired seeds: would other "
            "users show it too, with these very models? "
        )
    else:
        text += "There is no interval over users: these runs did not keep each user's metrics. "
    if (seeds["n"] < 2).any():
        text += "With one seed there is no interval over seeds: a difference may be chance. "
    for over, rows in (("seeds", seeds), ("users", users)):
        unclear = rows[(rows["low"] <= 0) & (rows["high"] >= 0)]
        if len(unclear):
            text += (
                f"Over {over}, zero lies inside for {', '.join(map(escape, unclear['group']))}. "
            )
    return text.strip()
