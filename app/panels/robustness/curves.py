"""Accuracy against strength: curves of the chosen runs under each perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import curves as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.panels.robustness.item_groups import by_item_group
from app.panels.robustness.paired import which_training_held_better
from app.panels.robustness.users import which_users_lose
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves

EXPOSURE = ("entered", "chr", "target_rank")
"""Metrics that only targeted attacks have."""


def accuracy_against_strength(choice: Choice) -> None:
    """The settings, then the curves of the chosen runs and what is made of them."""
    with st.spinner("Loading the engine ..."):
        from engine.robustness import CurveConfig

    st.header("Accuracy against strength")
    with st.expander("What is drawn", icon=":material/tune:"):
        config = config_form(CurveConfig, "curves", columns=3)
    if config is None:
        return
    results = results_or_offer(
        run_store(), "robustness", choice.ids, config, "Compute these curves"
    )
    for result in results.values():
        _curves(cast("RobustnessCurves", result), choice)


@st.fragment
@show_errors()
def _curves(curves: RobustnessCurves, choice: Choice) -> None:
    """Everything that one result shows."""
    from engine.robustness import bands, indifferent, summary

    pick, how = st.columns([3, 2], vertical_alignment="bottom")
    metrics = [m for m in curves.metrics if m.startswith(("recall", "ndcg", *EXPOSURE))]
    metric = pick.segmented_control(
        "Metric of the curves", metrics, default=metrics[-1] if "recall@20" not in metrics else
        "recall@20", required=True, key="curves.metric",
    ) or metrics[0]  # fmt: skip
    shown = how.segmented_control(
        "Shown", list(charts.SHOWN), default="accuracy", required=True, key="curves.shown"
    )
    strategies = [str(s["strategy"]) for s in curves.series[: len(choice.ids)]]
    looks = choice.looks_in_order(strategies)
    per_run = curves.per_run(metric)
    table = bands(per_run)
    with_titles = table.replace({"perturbation": curves.titles, "control_of": curves.titles})
    figure = charts.strength_curves(with_titles, metric, looks, shown)
    st.plotly_chart(figure, config=CONFIG, alt=f"{metric} against strength of each perturbation")
    if not metric.startswith(EXPOSURE):
        warning = charts.indifference_warning(indifferent(per_run), metric)
        if warning:
            st.info(warning, icon=":material/visibility_off:")
    st.caption(f"{choice.dataset}. {charts.curves_caption(with_titles)} {escape(curves.caption)}")
    table_and_csv(summary(per_run), "robustness-summary", "Summary")
    table_and_csv(table, "robustness-bands", "Means, intervals and losses at each strength")
    table_and_csv(curves.to_frame(), "robustness-curves", "Every draw of every run")
    by_item_group(curves, looks, choice)
    which_users_lose(curves, choice)
    if len(set(strategies)) > 1:
        which_training_held_better(curves, list(dict.fromkeys(strategies)), choice)
