"""Accuracy against strength: curves of the chosen runs under each perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import curves as charts
from app.charts.style import CONFIG, Look
from app.charts.text import escape, short
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import results_or_offer
from app.widgets.answers import leader_sentence
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves

EXPOSURE = ("entered", "chr", "target_rank")
"""Metrics that only targeted attacks have."""

STRENGTH = 0.1
"""Strength at which the sentence on top quotes the worst attack, or the nearest below it."""


def accuracy_against_strength(choice: Choice) -> RobustnessCurves | None:
    """The answer in a sentence, the curves of the chosen runs, and their settings.

    Returns the curves for what else is made of them; None where they are not computed yet.
    """
    with st.spinner("Loading the engine ..."):
        from engine.robustness import CurveConfig

    top = st.container()
    with st.expander("Settings of the curves", icon=":material/tune:"):
        config = config_form(CurveConfig, "curves", columns=3)
    if config is None:
        return None
    with top:
        results = results_or_offer(
            run_store(), "robustness", choice.ids, config, "Compute these curves"
        )
        for result in results.values():
            curves = cast("RobustnessCurves", result)
            _curves(curves, choice)
            return curves
    return None


@st.fragment
@show_errors()
def _curves(curves: RobustnessCurves, choice: Choice) -> None:
    """The sentence, the picture and what it shows."""
    from engine.robustness import bands, indifferent

    answer, picture = st.container(), st.container()
    pick, how = st.columns([3, 2], vertical_alignment="bottom")
    metrics = [m for m in curves.metrics if m.startswith(("recall", "ndcg", *EXPOSURE))]
    usual = "recall@20" if "recall@20" in metrics else metrics[-1]
    metric = pick.segmented_control(
        "Metric", metrics, default=usual, required=True, key="curves.metric", bind="query-params"
    )
    shown = how.segmented_control(
        "Shown", list(charts.SHOWN), default="accuracy", required=True, key="curves.shown",
        bind="query-params",
    )  # fmt: skip
    per_run = curves.per_run(str(metric))
    table = bands(per_run)
    with_titles = table.replace({"perturbation": curves.titles, "control_of": curves.titles})
    looks = looks_of_series(curves, choice)
    figure = charts.strength_curves(with_titles, str(metric), looks, str(shown))
    if not str(metric).startswith(EXPOSURE):
        answer.markdown(kept_sentence(curves, str(metric)))
        warning = charts.indifference_warning(indifferent(per_run), str(metric))
        if warning:
            answer.info(warning, icon=":material/visibility_off:")
    alt = f"{metric} against strength of each perturbation"
    picture.plotly_chart(figure, config=CONFIG, key="curves", alt=alt)
    st.caption(f"{choice.dataset}. {charts.curves_caption(with_titles)} {escape(curves.caption)}")


def looks_of_series(curves: RobustnessCurves, choice: Choice) -> dict[str, Look]:
    """How the strategies of a result are drawn: as its runs are, given in the same order."""
    strategies = [str(s["strategy"]) for s in curves.series[: len(choice.ids)]]
    return choice.looks_in_order(strategies)


def kept_sentence(curves: RobustnessCurves, metric: str) -> str:
    """Which strategy keeps most and least of its accuracy under the worst attack measured."""
    from engine.robustness import worst_attack_kept

    table = worst_attack_kept(curves.per_run(metric), STRENGTH)
    table = table.rename(columns={"strategy": "group", "kept": "value"}).dropna(subset=["value"])
    if table.empty:
        return "No perturbation was measured at any strength."
    attack = curves.titles.get(str(table["attack"].iloc[0]), "attack")
    without = (table["removed"] / table["clean"]).groupby(table["group"], sort=False).mean()
    listed = ", ".join(
        f"{escape(short(name))} {share:.0%}" for name, share in without.dropna().items()
    )
    sentence = leader_sentence(
        table,
        f"Under the worst attack measured (up to strength {table['strength'].max():g}), "
        "**{best}** keeps **{best_value}** of its " + metric + " and **{worst}** keeps "
        "**{worst_value}**.",
        f"Under {attack} of strength {table['strength'].max():g}, "
        "**{best}** keeps **{best_value}** of its " + metric + ".",
        "{:.0%}",
    )
    return f"{sentence} Without features they keep {listed}." if listed else sentence


def tables(curves: RobustnessCurves, metric: str = "recall@20") -> None:
    """The numbers behind the curves."""
    from engine.robustness import bands, summary

    per_run = curves.per_run(metric if metric in curves.metrics else curves.metrics[0])
    table_and_csv(summary(per_run), "robustness-summary", "Summary")
    table_and_csv(
        bands(per_run), "robustness-bands", "Means, intervals and losses at each strength"
    )
    table_and_csv(curves.to_frame(), "robustness-curves", "Every draw of every run")
