"""For which items a perturbation costs most, under the robustness curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.charts.item_groups import found_by_group
from app.charts.style import CONFIG, Look
from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors

if TYPE_CHECKING:
    from engine.robustness import RobustnessCurves


@st.fragment
@show_errors()
def by_item_group(curves: RobustnessCurves, looks: dict[str, Look], choice: Choice) -> None:
    """Choose a perturbation, strength and cutoff; every item group before and after."""
    from engine.evaluation import item_group_means

    frame = curves.group_frame()
    frame = frame[frame["control_of"] == ""]
    first, second, third = st.columns(3, vertical_alignment="bottom")
    pairs = list(dict.fromkeys(zip(frame["perturbation"], frame["modality"], strict=True)))
    kind, modality = first.selectbox(
        "Perturbation",
        pairs,
        index=len(pairs) - 1,
        format_func=lambda pair: f"{curves.titles[pair[0]]}, {pair[1]}",
        key="groups.kind",
        bind="query-params",
    )
    frame = frame[(frame["perturbation"] == kind) & (frame["modality"] == modality)]
    strengths = sorted(s for s in frame["strength"].unique() if s > 0)
    strength = second.select_slider(
        "Strength",
        strengths,
        value=strengths[len(strengths) // 2],
        key=f"groups.{kind}",
        bind="query-params",
    )
    metric = third.segmented_control(
        "Found in the first", curves.cutoffs, default=curves.cutoffs[-1], required=True,
        key="groups.cutoff", bind="query-params",
    )  # fmt: skip
    table = item_group_means(frame[frame["metric"] == f"found@{metric}"], float(strength))
    figure = found_by_group(table, looks)
    st.plotly_chart(figure, config=CONFIG, key="groups.chart", alt="Found items by item group")
    seeds = dict(zip(table["strategy"], table["n_seeds"], strict=True))
    st.caption(
        f"{choice.dataset}, {curves.split} interactions whose item is in the group: the share that "
        f"stands among the user's first {metric}. Rings: clean; filled: under "
        f"{curves.titles[kind]} on {modality} features at strength {strength:g}, mean over "
        "draws. Popular: the fifth of the items with most training interactions; groups overlap. "
        f"Seeds: {', '.join(f'{escape(name)} {n}' for name, n in seeds.items())}; bars are 95 % "
        "intervals "
        "over seeds, none for one seed."
    )
    table_and_csv(table, "item-groups")
