"""Train: a preset, every setting, several seeds, or a sweep; and the trainings under way."""

from __future__ import annotations

import streamlit as st

from app.panels.train import trainings as training
from app.selection import state
from app.widgets import config_form as forms

st.title("Train")
st.markdown(
    f"A strategy is two choices: **what is minimised** and **how it steps**. Every combination "
    f"works. Dataset: **{state.dataset_path()}** (change it on the Overview)."
)
with st.spinner("Loading the engine ..."):
    from engine.training import PRESETS, TrainConfig

what = st.segmented_control(
    "What to train",
    ["One strategy", "A sweep"],
    default="One strategy",
    required=True,
    key="what_to_train",
    help="A sweep trains presets with several values of settings, each over several seeds",
)

if what == "A sweep":
    with st.spinner("Loading the engine ..."):
        from app.panels.train import sweeps as sweeping

    sweeping.start_sweep()
    st.header("Sweeps")
    sweeping.show_sweeps()
else:
    name = st.pills(
        "Start from a preset",
        list(PRESETS),
        default="plain",
        required=True,
        key="preset",
        persist_state="session",
    )
    description, start = PRESETS[name or "plain"]
    st.caption(description)

    with st.container(border=True):
        config = forms.config_form(TrainConfig, f"train.{name}", start, hidden={"seed"}, columns=4)

    left, middle, right, button = st.columns([3, 1, 1, 1], vertical_alignment="bottom")
    label = left.text_input("Name of the run", value=str(name), key=f"name.{name}")
    n_seeds = middle.number_input(
        "Seeds", 1, 20, 1, help="Several seeds give means with 95 % intervals; 5 are a good start."
    )
    seed = right.number_input("First seed", 0, 2**31 - 1, 0)
    if (
        button.button("Train", type="primary", icon=":material/play_arrow:", width="stretch")
        and config is not None
    ):
        with st.spinner("Queueing ..."):
            training.start(config.changed({"seed": seed}), label.strip() or str(name), int(n_seeds))
        st.rerun()

training.offer_to_resume()
st.header("Under way")
training.watch_trainings()
