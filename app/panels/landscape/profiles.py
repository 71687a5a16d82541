"""Which solution is flat and which sharp: the loss along each run's own sharpest direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pandas as pd
import streamlit as st

from app.charts.profiles import rise_profiles
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.selection.workspace import run_store
from app.widgets.analysis_jobs import config_class, results_or_offer
from app.widgets.answers import leader_sentence
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv

if TYPE_CHECKING:
    from engine.geometry import Profile


def profiles(choice: Choice) -> None:
    """The answer in a sentence, the profiles overlaid, and their settings."""
    answer = st.container()
    picture = st.container()
    left, right = st.columns([1, 3], vertical_alignment="center")
    parabola = left.toggle(
        "Show parabolas", key="profile.parabola", bind="query-params",
        help="Dotted: what the eigenvalue alone predicts",
    )  # fmt: skip
    with right.expander("Settings of the profiles", icon=":material/tune:"):
        config = config_form(config_class("profile"), "profile", columns=4)
    if config is None:
        return
    with picture:
        results = results_or_offer(
            run_store(), "profile", choice.ids, config, "Compute the profiles"
        )
        by_label = {choice.labels[ids[0]]: cast("Profile", r) for ids, r in results.items()}
        if by_label:
            figure = rise_profiles(by_label, choice.looks, parabola)
            sentence = doubling_sentence(by_label, choice)
            answer.markdown(sentence)
            st.plotly_chart(figure, config=CONFIG, key="profiles", alt=sentence.replace("**", ""))
    if by_label:
        first = next((p for p in by_label.values() if not p.reason), None)
        without = [p.caption for p in by_label.values() if p.reason]
        caption = " ".join([first.caption if first else "", *without])
        st.caption(
            f"{choice.dataset}, one line a run. {escape(caption)} Band: 95 % of the random "
            "directions."
        )
        table = pd.concat([p.to_frame().assign(label=name) for name, p in by_label.items()])
        table_and_csv(table, "profiles", "Table of the profiles")


def doubling_sentence(by_label: dict[str, Profile], choice: Choice) -> str:
    """Which strategy's loss doubles soonest and latest on the way from its minimum."""
    runs = {label: run for run, label in choice.labels.items()}
    groups = choice.table.set_index("id")["group"]
    table = pd.DataFrame(
        {"group": [groups[runs[label]] for label in by_label],
         "value": [profile.doubling_distance for profile in by_label.values()]}
    ).dropna()  # fmt: skip
    return leader_sentence(
        table,
        "Along its own sharpest direction, the loss around **{best}** takes the longest way to "
        "double ({best_value}), that around **{worst}** the shortest ({worst_value}): at this "
        "scale **{best}** is the flattest.",
        "Along its own sharpest direction, the loss around **{best}** doubles at a distance of "
        "{best_value}.",
        "{:.3g}",
    )
