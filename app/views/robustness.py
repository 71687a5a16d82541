"""Robustness: turn the knob and see what breaks, for whom, and which training held."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app import breakdown, edits, forms, probing, state, targeting, work
from app.boundary import errors_shown
from app.charts import robustness as charts
from app.charts.style import CONFIG
from app.empty import stop_without_runs
from app.tables import table_and_csv

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves

st.title("Robustness")
st.markdown(
    "Pictures and texts of products are noisy, and they change. Turn the knob: how much of the "
    "accuracy is left, and whose recommendations change?"
)
choice: state.Choice = st.session_state["choice"]
if not choice.ids:
    stop_without_runs()
with st.spinner("Loading the engine ..."):
    from engine.robustness import PERTURBATIONS, CurveConfig, bands, summary

with errors_shown():
    dataset = state.open_dataset_of(choice)
    probing.knob(choice, dataset)

    st.header("Attack this item")
    st.markdown(
        "Change one product, and nothing else: in how many lists does it appear, and how high?"
    )
    targeting.attack_this_item(choice, dataset)

    st.header("What an edit does to a picture or text")
    edits.pictures_and_texts(dataset)

st.header("Accuracy against strength")
with st.expander("What is drawn", icon=":material/tune:"):
    config = forms.config_form(CurveConfig, "curves", columns=3)
if config is None:
    st.stop()
found = work.results_or_offer(
    state.store(), "robustness", choice.ids, config, "Compute these curves"
)
for found_result in found.values():
    curves = cast("RobustnessCurves", found_result)
    metric = st.segmented_control(
        "Metric of the curves",
        [m for m in curves.metrics if m.startswith(("recall", "ndcg"))],
        default="recall@20",
        required=True,
        key="curves.metric",
    )
    chosen_metric = metric or "recall@20"
    titles = {name: kind.title for name, kind in PERTURBATIONS.items()}
    table = bands(curves, chosen_metric).replace({"perturbation": titles, "control_of": titles})
    looks = choice.looks_in_order([str(s["strategy"]) for s in curves.series[: len(choice.ids)]])
    figure = charts.strength_curves(table, chosen_metric, looks)
    st.plotly_chart(figure, config=CONFIG, alt=f"{metric} against strength of each perturbation")
    st.caption(f"{choice.dataset}. {charts.curves_caption(table)} {curves.caption}")
    breakdown.by_item_group(curves, looks, choice)
    table_and_csv(summary(curves, chosen_metric), "robustness-summary", "Summary")
    table_and_csv(curves.to_frame(), "robustness-curves")
