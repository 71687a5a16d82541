"""One shopper's list while pictures are exchanged: turn the knob, watch the list change."""

from __future__ import annotations

import streamlit as st

from app.learn.pictures.demonstration_runs import demonstration_runs
from app.selection.workspace import open_dataset
from app.widgets.items import cards
from app.widgets.probes import probe_of

SHOWN = 5
STRATEGIES = ("plain", "amr")


@st.fragment
def one_shopper() -> None:
    """The share of products that show another product's picture, and one list of each strategy."""
    runs = demonstration_runs()
    from engine.robustness import FEATURE_PERTURBATIONS

    share = st.slider(
        "Share of products that show another product's picture",
        0.0, 1.0, 0.3, 0.05, key="lesson.share",
    )  # fmt: skip
    config = FEATURE_PERTURBATIONS["swap"].parse({"modalities": ["image"]})
    answers = {}
    for name in STRATEGIES:
        run = runs[name]
        probe = probe_of(run.id, (run.path / "weights.safetensors").stat().st_mtime)
        answers[name] = (probe, probe.at(config, share))
    probe, answer = answers["plain"]
    losers = answer.losers("recall@20", 1)
    user = int(losers["user"].iloc[0]) if len(losers) else int(answer.users[0])
    dataset = open_dataset(runs["plain"].provenance["dataset"]["source"])
    for column, (name, (probe, answer)) in zip(st.columns(2), answers.items(), strict=True):
        recall = answer.means().set_index("metric").loc["recall@20"]
        lists = probe.lists(answer, user)
        after = lists[lists["in_after"]].sort_values("rank_after").head(SHOWN)
        with column:
            st.markdown(
                f"**{name}** · Recall@20 over all users {recall['clean']:.3f} → "
                f"{recall['perturbed']:.3f}"
            )
            pairs = zip(after["rank_before"], after["rank_after"], strict=True)
            notes = [cards.shift_note(int(b), int(a)) for b, a in pairs]
            cards.ranked_list(dataset.items, [int(i) for i in after["item"]], notes)
    st.caption(
        f"First {SHOWN} products of shopper {user}, who loses most with plain training. ▲ and ▼: "
        "places climbed and fallen. The made-up shop, test split, one seed: may be chance."
    )
