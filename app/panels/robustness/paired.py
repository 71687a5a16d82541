"""Which training held better: two strategies under the same perturbations, paired."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves

DIFFERENCES = ("difference", "seed_low", "seed_high", "user_low", "user_high", "user_effect")


@st.fragment
@show_errors()
def which_training_held_better(curves: RobustnessCurves, choice: Choice) -> None:
    """Two strategies under the same perturbations, paired seed by seed and user by user."""
    strategies = list(dict.fromkeys(str(s["strategy"]) for s in curves.series))
    if len(strategies) < 2:
        st.info("Choose runs of at least two strategies on the left to compare them.")
        return
    first, second, _ = st.columns(3)
    baseline = first.selectbox("Baseline", strategies, key="paired.baseline", bind="query-params")
    others = [name for name in strategies if name != baseline]
    other = second.selectbox("Compared with it", others, key="paired.other", bind="query-params")
    measured = json.dumps([curves.provenance["runs"], curves.config])
    table = _differences(measured, curves, baseline, other)
    titles = curves.titles
    shown = table[table["strength"] > 0].replace({"perturbation": titles, "control_of": titles})
    st.dataframe(
        shown.drop(columns=["unit", "metric", "n_seeds"]), hide_index=True, height=320,
        column_config={c: st.column_config.NumberColumn(format="%+.4f") for c in DIFFERENCES},
    )  # fmt: skip
    st.caption(
        f"{choice.dataset}, {curves.split}: {curves.user_metric} of {escape(other)} minus that of "
        f"{escape(baseline)}, under the same draws. seed_low and seed_high: 95 % interval over the "
        f"{int(table['n_seeds'].max())} seed(s) both have; user_low and user_high: 95 % bootstrap "
        "over users; user_effect: Cohen's d of the users' differences; p_holm: paired t test over "
        "seeds, corrected for all rows. Intervals are uncorrected."
    )
    table_and_csv(table, "robustness-paired", "All strengths")


@st.cache_data(show_spinner="Pairing users and seeds ...", max_entries=32)
def _differences(
    measured: str, _curves: RobustnessCurves, baseline: str, other: str
) -> pd.DataFrame:
    from engine.robustness import compare_strategies

    del measured  # stands for the curves in the key
    return compare_strategies(_curves, baseline, other)
