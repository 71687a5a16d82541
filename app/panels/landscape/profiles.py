"""Sharp or flat, read off one picture: how fast the loss rises around each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts import profiles as charts
from app.charts.style import CONFIG
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import LossProfiles


def profiles(choice: Choice) -> None:
    """The profiles of the chosen runs, or the offer to compute them."""
    with st.expander("What is drawn", icon=":material/tune:"):
        config = config_form(config_class("profile"), "profile", columns=3)
    if config is None:
        return
    results = results_or_offer(run_store(), "profile", choice.ids, config, "Compute the profiles")
    for result in results.values():
        result = cast("LossProfiles", result)
        looks = choice.looks_in_order(result.labels)
        st.markdown(charts.profile_sentence(result))
        figure = charts.profile_curves(result, looks)
        st.plotly_chart(figure, config=CONFIG, alt=charts.profile_sentence(result))
        st.caption(f"{choice.dataset}, one seed a run: may be chance. {result.caption}")
        table_and_csv(result.tables()["numbers"], "profile-numbers", "In numbers")
        table_and_csv(result.to_frame(), "profiles")
