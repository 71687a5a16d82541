"""Sharp or flat, read off one picture: how fast the loss rises around each run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pandas as pd
import streamlit as st

from app.charts import profiles as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.answers import leader_sentence
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import LossProfiles


def profiles(choice: Choice) -> None:
    """The answer in a sentence, the profiles of the chosen runs overlaid, and their settings."""
    top = st.container()
    with st.expander("Settings of the profiles", icon=":material/tune:"):
        config = config_form(config_class("profile"), "profile", columns=3)
    if config is None:
        return
    with top:
        results = results_or_offer(
            run_store(), "profile", choice.ids, config, "Compute the profiles"
        )
        for result in (cast("LossProfiles", r) for r in results.values()):
            result = replace(result, labels=choice.labels_of(result.runs, result.labels))
            sentence = sharpness_sentence(result, choice)
            st.markdown(sentence)
            figure = charts.profile_curves(result, choice.looks)
            st.plotly_chart(figure, config=CONFIG, key="profiles", alt=sentence.replace("**", ""))
            st.caption(f"{choice.dataset}, one line a run. {escape(result.caption)}")
            table_and_csv(result.tables()["numbers"], "profile-numbers", "In numbers")
            table_and_csv(result.to_frame(), "profiles", "Table of the profiles")


def sharpness_sentence(result: LossProfiles, choice: Choice) -> str:
    """Around which strategy the loss rises fastest and slowest along the sharpest direction."""
    groups = choice.table.set_index("id")["group"]
    table = pd.DataFrame(
        {"group": [groups.get(run, run) for run in result.runs], "value": result.eigenvalues_R}
    )
    return leader_sentence(
        table.dropna(),
        "Along its own sharpest direction, the loss rises slowest around **{best}** (curvature "
        "{best_value} nats per squared change of score) and fastest around **{worst}** "
        "({worst_value}): **{best}** is the flattest here.",
        "Along its own sharpest direction, the loss around **{best}** has curvature {best_value} "
        "nats per squared change of score.",
        "{:.3g}",
        largest=False,
    )
