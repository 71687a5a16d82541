"""Which users lose most in one curve, as a table of all users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.selection.choice import Choice
from app.widgets.downloads import csv_button
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves


@st.fragment
@show_errors()
def which_users_lose(curves: RobustnessCurves, choice: Choice) -> None:
    """Choose a curve and a strength; the users, who lost most first."""
    first, second = st.columns(2, vertical_alignment="bottom")
    series = first.selectbox(
        "Curve",
        range(len(curves.series)),
        format_func=lambda place: _curve_title(curves, place),
        key="curves.user.series",
        bind="query-params",
    )
    strengths = [float(s) for s in curves.strengths[series] if s > 0]
    strength = second.select_slider(
        "Strength",
        strengths,
        value=strengths[-1],
        key=f"curves.user.{len(strengths)}",
        bind="query-params",
    )
    users = curves.user_frame(series, strength)
    st.caption(
        f"{choice.dataset}, {curves.split} interactions: {curves.user_metric} of each of "
        f"{len(users)} users, mean over draws, who lost most first; strength {strength:g} "
        f"({curves.series[series]['unit']}); one seed."
    )
    st.dataframe(users.head(1000), hide_index=True, height=260)
    csv_button(users, "robustness-users")


def _curve_title(curves: RobustnessCurves, place: int) -> str:
    series = curves.series[place]
    control = f" (control of {series['control_of']})" if series["control_of"] else ""
    title = curves.titles[series["perturbation"]]
    return f"{series['label']}: {title}{control}, {series['modality']}"
