"""What held: reliance on features against accuracy under the worst attack, over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import tradeoff as charts
from app.charts.style import CONFIG, looks
from app.charts.text import escape
from app.learn.pictures.demonstration_runs import demonstration_seeds
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer

if TYPE_CHECKING:
    from engine.robustness.standard import StandardAttacks

STRENGTH = 0.1


def what_held() -> None:
    """All seeds of the demonstration under the standard set of attacks."""
    runs = demonstration_seeds()
    results = results_or_offer(
        run_store(), "attacks", [run.id for run in runs], config_class("attacks")(),
        "Attack all runs of the demonstration",
    )  # fmt: skip
    for result in results.values():
        attacks = cast("StandardAttacks", result)
        _picture(attacks)


def _picture(attacks: StandardAttacks) -> None:
    from engine.robustness.standard import tradeoff_means

    offered = [float(s) for s in attacks.strengths if s > 0]
    strength = STRENGTH if STRENGTH in offered else offered[0]
    points = attacks.tradeoff(strength)
    names = list(dict.fromkeys(str(run["strategy"]) for run in attacks.runs))
    figure = charts.tradeoff_scatter(points, tradeoff_means(points), attacks.metric, looks(names))
    verdicts = attacks.verdicts(strength)
    figure.update_layout(height=380)
    st.plotly_chart(figure, config=CONFIG, key="lesson.tradeoff", alt=" ".join(verdicts))
    st.caption(" ".join(escape(verdict) for verdict in verdicts[:4]))
