"""Differences of one metric to a baseline, over seeds and over users."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.charts import metrics as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.panels.compare.metrics import looks_of_strategies
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.downloads import csv_button
from app.widgets.strategy_columns import strategy_columns
from engine.runs import RunStore

COST_CAPTION = (
    "Strategies are ordered by validation. Gradient passes and wall time are means over a "
    "strategy's runs: a strategy that took more passes had more training, so compare it with a "
    "baseline of equal passes too."
)


def differences(choice: Choice, metrics: Sequence[str]) -> None:
    """One metric of each strategy minus that of a baseline, over seeds and over users."""
    from engine.runs.comparison.comparison_tables import baseline_differences, seeds_table

    values = seeds_table(choice.table, metrics)
    if not metrics or values["group"].nunique() < 2:
        st.info("Choose runs of at least two strategies on the left, and a metric above.")
        return
    looks = looks_of_strategies(values, choice)
    groups = list(dict.fromkeys(values["group"]))
    left, right = st.columns(2)
    usual = groups.index("plain") if "plain" in groups else 0
    baseline = left.selectbox("Baseline", groups, index=usual, key="baseline", bind="query-params")
    metric = right.selectbox("Metric", metrics, key="difference", bind="query-params")
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
