"""Curves of accuracy against strength: chart, caption, tables, and two strategies paired."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from app.charts import curves as charts
from app.charts.style import CONFIG
from app.panels.robustness import item_groups as breakdown
from app.selection import state
from app.widgets.downloads import csv_button, table_and_csv

if TYPE_CHECKING:
    import pandas as pd

    from engine.robustness import RobustnessCurves

EXPOSURE = ("entered", "chr", "target_rank")
"""Metrics that only targeted attacks have."""


@st.fragment
def against_strength(curves: RobustnessCurves, choice: state.Choice) -> None:
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
    table = bands(curves.per_run(metric))
    titled = table.replace({"perturbation": curves.titles, "control_of": curves.titles})
    figure = charts.strength_curves(titled, metric, looks, shown)
    st.plotly_chart(figure, config=CONFIG, alt=f"{metric} against strength of each perturbation")
    if not metric.startswith(EXPOSURE):
        warning = charts.said_of_indifferent(indifferent(curves.per_run(metric)), metric)
        if warning:
            st.info(warning, icon=":material/visibility_off:")
    st.caption(f"{choice.dataset}. {charts.curves_caption(titled)} {curves.caption}")
    table_and_csv(summary(curves.per_run(metric)), "robustness-summary", "Summary")
    table_and_csv(table, "robustness-bands", "Means, intervals and losses at each strength")
    table_and_csv(curves.to_frame(), "robustness-curves", "Every draw of every run")
    breakdown.by_item_group(curves, looks, choice)
    _by_user(curves, choice)
    if len(set(strategies)) > 1:
        _paired(curves, list(dict.fromkeys(strategies)), choice)


def _by_user(curves: RobustnessCurves, choice: state.Choice) -> None:
    """Who lost most in one curve, as a table of all users."""
    with st.expander("Which users lose?", icon=":material/group:"):
        first, second = st.columns(2, vertical_alignment="bottom")
        series = first.selectbox(
            "Curve",
            range(len(curves.series)),
            format_func=lambda place: _named(curves, place),
            key="curves.user.series",
        )
        strengths = [float(s) for s in curves.strengths[series] if s > 0]
        strength = second.select_slider(
            "Strength", strengths, value=strengths[-1], key=f"curves.user.{len(strengths)}"
        )
        users = curves.user_frame(series, strength)
        st.caption(
            f"{choice.dataset}, {curves.split} interactions: {curves.user_metric} of each of "
            f"{len(users)} users, mean over draws, who lost most first; strength {strength:g} "
            f"({curves.series[series]['unit']}); one seed."
        )
        st.dataframe(users.head(1000), hide_index=True, height=260)
        csv_button(users, "robustness-users")


def _named(curves: RobustnessCurves, place: int) -> str:
    series = curves.series[place]
    control = f" (control of {series['control_of']})" if series["control_of"] else ""
    title = curves.titles[series["perturbation"]]
    return f"{series['label']}: {title}{control}, {series['modality']}"


def _paired(curves: RobustnessCurves, strategies: list[str], choice: state.Choice) -> None:
    """Two strategies under the same perturbations, paired seed by seed and user by user."""
    st.subheader("Which training held better?")
    first, second, _ = st.columns(3)
    baseline = first.selectbox("Baseline", strategies, key="paired.baseline")
    others = [name for name in strategies if name != baseline]
    other = second.selectbox("Compared with it", others, key="paired.other")
    measured = json.dumps([curves.provenance["runs"], curves.config])
    table = _differences(measured, curves, baseline, other)
    titles = curves.titles
    shown = table[table["strength"] > 0].replace({"perturbation": titles, "control_of": titles})
    st.dataframe(
        shown.drop(columns=["unit", "metric", "n_seeds"]), hide_index=True, height=320,
        column_config={c: st.column_config.NumberColumn(format="%+.4f") for c in DIFFERENCES},
    )  # fmt: skip
    st.caption(
        f"{choice.dataset}, {curves.split}: {curves.user_metric} of {other} minus that of "
        f"{baseline}, under the same draws. seed_low and seed_high: 95 % interval over the "
        f"{int(table['n_seeds'].max())} seed(s) both have; user_low and user_high: 95 % bootstrap "
        "over users; effect: Cohen's d of the users' differences."
    )
    table_and_csv(table, "robustness-paired", "All strengths")


DIFFERENCES = ("difference", "seed_low", "seed_high", "user_low", "user_high", "effect")


@st.cache_data(show_spinner="Pairing users and seeds ...", max_entries=32)
def _differences(
    measured: str, _curves: RobustnessCurves, baseline: str, other: str
) -> pd.DataFrame:
    from engine.robustness import compare_strategies

    del measured  # stands for the curves in the key
    return compare_strategies(_curves, baseline, other)
