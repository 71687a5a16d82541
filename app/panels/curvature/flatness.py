"""Does flatness predict robustness? Over all finished runs of the chosen runs' dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts import flatness as charts
from app.charts.spectrum import SHORT, flatness_by_strategy
from app.charts.style import CONFIG
from app.selection import state
from app.widgets.downloads import csv_button, table_and_csv
from app.widgets.error_boundary import errors_shown
from engine.runs import RunStore

if TYPE_CHECKING:
    from engine.studies.flatness_and_robustness import FlatnessAndRobustness

RESAMPLES = 1000
HIT = {"both": "pictures and texts", "image": "pictures", "text": "texts"}
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@st.cache_data(max_entries=4, show_spinner="Gathering what the runs keep ...")
def _gathered(
    root: str, strategies: dict[str, str], metric: str, strength: float, kept: int
) -> FlatnessAndRobustness:
    """Read from the runs' folders again only when the number of ``kept`` results has changed."""
    from engine.studies.flatness_and_robustness import gathered

    del kept
    return gathered(RunStore(root), list(strategies), metric, strength, strategies)


@st.cache_data(max_entries=16, show_spinner="Correlating ...")
def _correlated(table: pd.DataFrame, drop: str) -> pd.DataFrame:
    from engine.geometry import flatness_versus_robustness

    return flatness_versus_robustness(table, drops=[drop], n_resamples=RESAMPLES)


def does_flatness_predict_robustness(choice: state.Choice) -> None:
    """A scatter of runs and the rank correlations, under controls."""
    st.header("Does flatness predict robustness?")
    table = state.trained_runs()
    same = table[table["fingerprint"] == choice.table["fingerprint"].iloc[0]]
    left, right = st.columns(2)
    metric = left.segmented_control(
        "Accuracy", ["recall@10", "recall@20", "ndcg@10", "ndcg@20"], default="recall@20",
        required=True, key="flatness.metric",
    )  # fmt: skip
    strength = right.segmented_control(
        "Strength of the perturbation", STRENGTHS, default=0.1, required=True,
        key="flatness.strength",
    )  # fmt: skip
    with errors_shown():
        store = state.store()
        named = same.sort_values("id").set_index("id")["group"].to_dict()
        kept = sum(1 for run in named for _ in (store.root / run / "results").glob("*.npz"))
        found = _gathered(
            str(store.root), named, metric or "recall@20", float(strength or 0.1), kept
        )
        if len(found.flatness):
            _by_strategy(choice, found)
        if len(found.table) < 5 or not found.drops:
            st.info(
                f"{len(found.table)} of {len(named)} finished runs on {choice.dataset} keep both a "
                f"curvature and robustness curves with strength {found.strength:g}; a rank "
                "correlation needs at least 5. Choose more runs on the left, e.g. several seeds "
                "of each strategy, compute their curvature above and their curves on the "
                "Robustness page."
            )
            return
        _shown(choice, found)


def _by_strategy(choice: state.Choice, found: FlatnessAndRobustness) -> None:
    """Flatness of all runs that keep a curvature, also of those that are not chosen."""
    with st.expander("Flatness of every strategy on this dataset", icon=":material/table:"):
        st.dataframe(flatness_by_strategy(found.flatness), hide_index=True, height="content")
        st.caption(
            f"{choice.dataset}: means over seeds with 95 % intervals (Student's t), none for one "
            f"seed. Curvatures of one setting only: {found.ground}. Larger is sharper; a flatter "
            "strategy is not thereby a more robust one."
        )
        csv_button(found.flatness, "flatness-by-strategy")


def _named(drop: str) -> str:
    """``drop fgsm both`` as a reader says it."""
    from engine.robustness import PERTURBATIONS

    kind, _, modality = drop.removeprefix("drop ").rpartition(" ")
    title = PERTURBATIONS[kind].title if kind in PERTURBATIONS else kind
    return f"{title} on {HIT.get(modality, modality)}"


def _described(measure: str) -> str:
    from engine.geometry import MEASURES

    stays = MEASURES[measure].is_invariant
    return f"{SHORT.get(measure, measure)} ({'may be compared' if stays else 'rescaling moves it'})"


def _shown(choice: state.Choice, found: FlatnessAndRobustness) -> None:
    from engine.geometry import MEASURES

    left, right = st.columns(2)
    drop = left.selectbox(
        "Perturbation",
        found.drops,
        format_func=_named,
        key="flatness.drop",
    )
    measures = [name for name in MEASURES if name in found.table]
    usual = measures.index("top_eigenvalue") if "top_eigenvalue" in measures else 0
    measure = right.selectbox(
        "Flatness measure",
        measures,
        index=usual,
        format_func=_described,
        key="flatness.measure",
    )
    correlations = _correlated(found.table, drop)
    left, right = st.columns([2, 3], gap="large")
    figure = charts.runs_scattered(found.table, measure, drop)
    left.plotly_chart(figure, config=CONFIG, alt=f"{measure} against {drop}, one point a run")
    right.plotly_chart(
        charts.correlation_dots(correlations),
        config=CONFIG,
        alt="Rank correlations of all measures",
    )
    counts = found.table["strategy"].value_counts(sort=False)
    st.caption(
        f"{choice.dataset}, {len(found.table)} runs ("
        + ", ".join(f"{name} {n}" for name, n in counts.items())
        + f"): share of clean test {found.metric} lost under {_named(drop)} at "
        f"strength {found.strength:g}, at the epoch validation chose. Right: Spearman's rank "
        f"correlation of each measure with that loss, 95 % bootstrap interval over runs "
        f"({RESAMPLES:,} resamples). Above 0: flatter runs lost less. Point at a run for its "
        "name. A run that loses nothing when features are swapped ignores them, and loses nothing "
        "to any attack on them either. Of so many intervals one in twenty leaves 0 outside by "
        "chance. A correlation over few strategies is mostly a difference between strategies, of "
        "which flatness need not be the cause: believe it only where it also holds within "
        "strategies and at equal accuracy."
    )
    table_and_csv(correlations, "flatness-correlations", "Correlations")
    table_and_csv(found.table, "flatness-runs", "Runs")
