"""Train: a preset, every setting, several seeds, or a sweep; and the trainings under way."""

from __future__ import annotations

import streamlit as st

from app.charts.text import escape
from app.panels.train.strategy_form import one_strategy
from app.panels.train.trainings import offer_to_resume, watch_trainings
from app.selection.workspace import dataset_path
from app.widgets.glossary import explain

st.title("Train", help=explain("Strategy", "Objective", "Stepper", "Epoch", "Seed"))
st.markdown(
    f"A strategy is two choices: **what is minimised** and **how it steps**. Every combination "
    f"works. Dataset: **{escape(dataset_path())}** (change it on the Overview)."
)
with st.spinner("Loading the engine ..."):
    from app.panels.train import sweeps

what = st.segmented_control(
    "What to train",
    ["One strategy", "A sweep"],
    default="One strategy",
    required=True,
    key="what_to_train",
    bind="query-params",
    help="A sweep trains presets with several values of settings, each over several seeds",
)
if what == "A sweep":
    sweeps.start_sweep()
    st.header("Sweeps")
    sweeps.show_sweeps()
else:
    one_strategy()

offer_to_resume()
st.header("Under way")
watch_trainings()
