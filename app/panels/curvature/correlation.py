"""Does flatness predict robustness? Over all finished runs of the chosen runs' dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts.curvature import correlation as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.panels.curvature.flatness import flatness_by_strategy
from app.selection.choice import Choice, trained_runs
from app.selection.workspace import run_store
from app.widgets.downloads import csv_button, table_and_csv
from app.widgets.error_boundary import show_errors
from engine.runs import RunStore

if TYPE_CHECKING:
    from engine.studies.flatness_and_robustness import FlatnessAndRobustness

RESAMPLES = 1000
HIT = {"both": "pictures and texts", "image": "pictures", "text": "texts"}
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@st.cache_data(max_entries=4, show_spinner="Reading the runs' results ...")
def _study(
    root: str, strategies: dict[str, str], metric: str, strength: float, n_results: int
) -> FlatnessAndRobustness:
    """Read from the runs' folders again only when ``n_results`` has changed."""
    from engine.studies.flatness_and_robustness import gather_flatness_and_robustness

    del n_results
    return gather_flatness_and_robustness(
        RunStore(root), list(strategies), metric, strength, strategies
    )


@st.cache_data(max_entries=16, show_spinner="Correlating ...")
def _correlations(table: pd.DataFrame, drop: str) -> pd.DataFrame:
    from engine.geometry import flatness_versus_robustness

    return flatness_versus_robustness(table, drops=[drop], n_resamples=RESAMPLES)


def does_flatness_predict_robustness(choice: Choice) -> None:
    """A scatter of runs and the rank correlations, under controls."""
    table = trained_runs()
    same = table[table["fingerprint"] == choice.table["fingerprint"].iloc[0]]
    left, right = st.columns(2)
    metric = left.segmented_control(
        "Accuracy", ["recall@10", "recall@20", "ndcg@10", "ndcg@20"], default="recall@20",
        required=True, key="flatness.metric", bind="query-params",
    )  # fmt: skip
    strength = right.segmented_control(
        "Strength of the perturbation", STRENGTHS, default=0.1, required=True,
        key="flatness.strength", bind="query-params",
    )  # fmt: skip
    with show_errors():
        store = run_store()
        strategies = same.sort_values("id").set_index("id")["group"].to_dict()
        n_results = sum(
            1 for run in strategies for _ in (store.root / run / "results").glob("*.npz")
        )
        study = _study(
            str(store.root), strategies, metric or "recall@20", float(strength or 0.1), n_results
        )
        if len(study.flatness):
            _by_strategy(choice, study)
        if len(study.table) < 5 or not study.drops:
            st.info(
                f"{len(study.table)} of {len(strategies)} finished runs on {choice.dataset} keep "
                f"both a curvature and robustness curves with strength {study.strength:g}; a rank "
                "correlation needs at least 5. Choose more runs on the left, e.g. several seeds "
                "of each strategy, compute their curvature above and their curves on the "
                "Robustness page."
            )
            return
        _scatter_and_correlations(choice, study)


def _by_strategy(choice: Choice, study: FlatnessAndRobustness) -> None:
    """Flatness of all runs that keep a curvature, also of those that are not chosen."""
    with st.expander("Flatness of every strategy on this dataset", icon=":material/table:"):
        st.dataframe(flatness_by_strategy(study.flatness), hide_index=True, height="content")
        st.caption(
            f"{choice.dataset}: means over seeds with 95 % intervals (Student's t), none for one "
            f"seed. Curvatures of one setting only: {escape(study.ground)}. Larger is sharper; a "
            "flatter "
            "strategy is not thereby a more robust one."
        )
        csv_button(study.flatness, "flatness-by-strategy")


def _drop_title(drop: str) -> str:
    """``drop fgsm both`` as a reader says it."""
    from engine.robustness import PERTURBATIONS

    kind, _, modality = drop.removeprefix("drop ").rpartition(" ")
    title = PERTURBATIONS[kind].title if kind in PERTURBATIONS else kind
    return f"{title} on {HIT.get(modality, modality)}"


def _measure_title(measure: str) -> str:
    from engine.geometry import measure_of, title_of

    owner = measure_of(measure)
    stays = owner is not None and owner.is_invariant
    return f"{title_of(measure)} ({'may be compared' if stays else 'rewriting moves it'})"


def _scatter_and_correlations(choice: Choice, study: FlatnessAndRobustness) -> None:
    from engine.geometry import in_table_order

    left, right = st.columns(2)
    drop = left.selectbox(
        "Perturbation",
        study.drops,
        format_func=_drop_title,
        key="flatness.drop",
        bind="query-params",
    )
    measures = in_table_order(list(study.table.columns))
    measure = right.selectbox(
        "Flatness measure",
        measures,
        format_func=_measure_title,
        key="flatness.measure",
        bind="query-params",
    )
    correlations = _correlations(study.table, drop)
    left, right = st.columns([2, 3], gap="large")
    figure = charts.runs_scatter(study.table, measure, drop)
    left.plotly_chart(figure, config=CONFIG, alt=f"{measure} against {drop}, one point a run")
    right.plotly_chart(
        charts.correlation_dots(correlations),
        config=CONFIG,
        alt="Rank correlations of all measures",
    )
    counts = study.table["strategy"].value_counts(sort=False)
    st.caption(
        f"{choice.dataset}, {len(study.table)} runs ("
        + ", ".join(f"{escape(name)} {n}" for name, n in counts.items())
        + f"): share of clean test {study.metric} lost under {_drop_title(drop)} at "
        f"strength {study.strength:g}, at the epoch validation chose. Right: Spearman's rank "
        f"correlation of each measure with that loss, 95 % bootstrap interval over seeds "
        f"({RESAMPLES:,} resamples), none below 8. Above 0: flatter runs lost less. Point at a "
        "run for its name. A run that loses nothing when features are swapped ignores them, and "
        "loses nothing to any attack on them either. Of so many intervals one in twenty leaves 0 "
        "outside by chance. A correlation over few strategies is mostly a difference between "
        "strategies, of which flatness need not be the cause: believe it only where it also holds "
        "within strategies."
    )
    table_and_csv(correlations, "flatness-correlations", "Correlations")
    table_and_csv(study.table, "flatness-runs", "Runs")
