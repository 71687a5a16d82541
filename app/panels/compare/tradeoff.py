"""Reliance against accuracy under the worst attack: who is robust, and who only looks away."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import tradeoff as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness.standard import StandardAttacks


def tradeoff(choice: Choice) -> None:
    """The settings, then the chosen runs under the standard set of attacks."""
    with st.spinner("Loading the engine ..."):
        from engine.robustness.standard import StandardAttackConfig

    with st.expander("Settings of the attacks", icon=":material/tune:"):
        config = config_form(StandardAttackConfig, "attacks", columns=3)
    if config is None:
        return
    results = results_or_offer(run_store(), "attacks", choice.ids, config, "Attack these runs")
    for result in results.values():
        _tradeoff(cast("StandardAttacks", result), choice)


@st.fragment
@show_errors()
def _tradeoff(attacks: StandardAttacks, choice: Choice) -> None:
    """The picture at one strength, what it says, and the tables behind it."""
    from engine.robustness.standard import ATTACK_TITLES, tradeoff_means

    strengths = [float(s) for s in attacks.strengths if s > 0]
    strength = st.segmented_control(
        "Strength of the attacks", strengths, default=strengths[0], required=True,
        format_func=lambda s: f"{s:g}", help=attacks.unit, key="tradeoff.strength",
        bind="query-params",
    ) or strengths[0]  # fmt: skip
    points = attacks.tradeoff(strength)
    means = tradeoff_means(points)
    looks = choice.looks_in_order([str(run["strategy"]) for run in attacks.runs])
    figure = charts.tradeoff_scatter(points, means, attacks.metric, looks)
    st.plotly_chart(
        figure, config=CONFIG,
        alt=f"Reliance on features against {attacks.metric} under the worst attack",
    )  # fmt: skip
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in attacks.verdicts(strength)))
    checks = attacks.checks()
    if len(checks):
        st.warning(
            "Some attacks look weaker than they should be: "
            + "; ".join(
                f"{escape(row.label)}: {escape(row.message)}" for row in checks.itertuples()
            ),
            icon=":material/visibility_off:",
        )
    st.caption(f"{choice.dataset}. {charts.tradeoff_caption(points)} {escape(attacks.caption)}")
    summary = attacks.summary().query("strength == @strength").replace({"measure": ATTACK_TITLES})
    table_and_csv(summary, "standard-attacks", "Every attack")
