"""One product is lifted into the lists by the smallest change of its features that helps most."""

from __future__ import annotations

import streamlit as st

from app.charts.item_attack import share_by_rank
from app.charts.style import CONFIG, look
from app.learn.pictures.demonstration_runs import demonstration_runs
from app.selection.workspace import open_dataset
from app.widgets.probes import probe_of

STRATEGIES = ("plain", "amr")
CUTOFF = 20
EVERY = 16
"""Every sixteenth product is offered."""


@st.fragment
def lifted_item() -> None:
    """An attack on one product's features, against plain training and against AMR."""
    runs = demonstration_runs()
    from engine.robustness import PERTURBATIONS

    titles = open_dataset(runs["plain"].provenance["dataset"]["source"]).items["title"]
    left, right = st.columns([2, 3])
    item = left.selectbox(
        "Product", range(0, len(titles), EVERY), format_func=lambda i: f"{titles.iloc[i]} ({i})",
        key="lesson.item",
    )  # fmt: skip
    strength = right.slider(
        "Strength: share of the features' length", 0.0, 1.0, 0.6, 0.05, key="lesson.attack"
    )
    config = PERTURBATIONS["pgd"].parse({"goal": "promote", "target_item": item})
    ranks, rows = {}, []
    for name in STRATEGIES:
        run = runs[name]
        probe = probe_of(run.id, (run.path / "weights.safetensors").stat().st_mtime)
        ranks[name] = probe.target_ranks(probe.at(config, strength))
        before, after = (
            float((ranks[name][column] <= CUTOFF).mean())
            for column in ("rank_before", "rank_after")
        )
        rows.append(f"**{name}**: in the first {CUTOFF} of {before:.1%} → {after:.1%} of shoppers")
    looks = {name: look(i) for i, name in enumerate(STRATEGIES)}
    figure = share_by_rank(ranks, looks, CUTOFF).update_layout(height=330)
    st.plotly_chart(figure, config=CONFIG, key="lesson.ranks", alt=" ".join(rows))
    st.markdown(" · ".join(rows))
    st.caption(
        "Thin: before; thick: under the attack (PGD on the features of this product "
        "alone). The made-up shop, shoppers who have not bought it, one seed: may be chance."
    )
