"""Attack this item: lift one item, or a whole category, into the users' lists, or out of them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.charts.item_attack import share_by_rank
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors
from app.widgets.items import cards
from app.widgets.items.item_picker import pick_item
from app.widgets.probes import probes

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.robustness import GoalConfig, ProbeAnswer, RobustnessProbe

WAYS = {
    "fgsm": "Its features, one step (FGSM)",
    "pgd": "Its features, several steps (PGD)",
    "pixel_fgsm": "Its picture, one step (FGSM)",
    "pixel_pgd": "Its picture, several steps (PGD)",
}
ENCODER = "efficientnet_lite_pytorch"
CUTOFF = 20
SHARES = ("in first", "CHR")
SHOWN_MEMBERS = 4
SHOWN_USERS = 3
SHOWN_ITEMS = 10


@st.fragment
@show_errors()
def attack_this_item(choice: Choice, dataset: Dataset) -> None:
    """One item or category, one way in, and how far it climbs with every chosen run."""
    st.markdown(
        "Change one product, or one category, and nothing else: in how many lists does it appear, "
        "and how high?"
    )
    left, right = st.columns([1, 3], gap="large")
    with left:
        target = _choose_target(dataset)
    with right:
        attack = _choose_attack(dataset, target)
        if attack is None:
            return
        config, strength = attack
        with st.spinner("Attacking ..."):
            known = probes(choice)
            answers = {run: probe.at(config, strength) for run, probe in known.items()}
            ranks = {
                choice.labels[run]: probe.target_ranks(answers[run]) for run, probe in known.items()
            }
        figure = share_by_rank(ranks, choice.looks, CUTOFF)
        st.plotly_chart(figure, config=CONFIG, key="target.chart", alt="Share of users by rank")
        table = exposure_table(answers, ranks, choice.labels)
        of_category = "CHR: share of all places of the lists that the category takes. "
        st.caption(
            f"{choice.dataset}, test users who do not have the item in train, one seed a run. "
            f"Thin: before; thick: under {config.title} of strength {strength:g} "
            f"({config.strength_unit}) on {_target_title(target)} alone. The control is a "
            "random change of equal norm; ranks are medians over users. "
            f"{of_category if config.target_category else ''}An attack that fails here may "
            "succeed with more steps or strength."
        )
        percent = st.column_config.NumberColumn(format="percent")
        formats: dict[str, Any] = {c: percent for c in map(str, table) if c.startswith(SHARES)}
        rank = st.column_config.NumberColumn(format="%.0f")
        formats |= {c: rank for c in map(str, table) if c.startswith("rank")}
        st.dataframe(table, hide_index=True, column_config=formats)
    _pictures(known, config, strength)
    run = st.selectbox(
        "Lists of run",
        choice.ids,
        format_func=choice.labels.__getitem__,
        key="target.run",
        bind="query-params",
    )
    _lists(dataset, known[run], answers[run], ranks[choice.labels[run]])
    every = pd.concat([t.assign(run=name) for name, t in ranks.items()], ignore_index=True)
    table_and_csv(every, "target-ranks", "Ranks of all users")


def _choose_target(dataset: Dataset) -> dict[str, Any] | None:
    """What is attacked, as the attack's settings name it; None where there is nothing."""
    categories = sorted(set(dataset.items["category"].astype(str)) - {""})
    what = "one product"
    if categories:
        what = st.segmented_control(
            "Target",
            ["one product", "a category"],
            default=what,
            required=True,
            key="target.what",
            bind="query-params",
        )
    if what == "one product":
        item = pick_item(dataset, "target.item")
        return None if item is None else {"target_item": item}
    category = st.selectbox("Category", categories, key="target.category", bind="query-params")
    members = dataset.items[dataset.items["category"] == category]
    cards.item_grid(members.head(SHOWN_MEMBERS))
    st.caption(f"{len(members)} products, all attacked together; {SHOWN_MEMBERS} are shown.")
    return {"target_category": category}


def _target_title(target: dict[str, Any] | None) -> str:
    """The target in a sentence."""
    category = (target or {}).get("target_category")
    return f"the products of category {escape(category)}" if category else "this item"


def _choose_attack(
    dataset: Dataset, target: dict[str, Any] | None
) -> tuple[GoalConfig, float] | None:
    """The attack and its strength, as the widgets say; None where they cannot."""
    from engine.robustness import PERTURBATIONS

    if target is None:
        return None
    item = target.get("target_item")
    goals, ways, knob = st.columns([2, 3, 3], vertical_alignment="bottom")
    goal = goals.segmented_control(
        "Goal",
        ["promote", "demote"],
        default="promote",
        required=True,
        key="target.goal",
        bind="query-params",
    )
    offered = [way for way in WAYS if item is not None or not way.startswith("pixel")]
    kind = ways.selectbox(
        "What is changed", offered, format_func=WAYS.__getitem__, key="target.way",
        bind="query-params",
        help="Pictures are attacked one product at a time",
    )  # fmt: skip
    if kind.startswith("pixel") and find_spec(ENCODER) is None:
        st.info(
            "Attacks on pictures need the image encoder: install it with `pip install -e "
            '".[encoders]"` and start the dashboard again. Attacks on features need nothing.'
        )
        return None
    no_picture = item is not None and not dataset.items["image_path"].iloc[item]
    if kind.startswith("pixel") and no_picture:
        st.info("This item has no picture; choose another, or attack its features.")
        return None
    start = PERTURBATIONS[kind].parse({"goal": goal} | target)
    with ways.popover("Its settings", icon=":material/tune:", width="stretch"):
        hidden = {"goal", "target_item", "target_category", "items"}
        form: Any = config_form(
            PERTURBATIONS[kind], f"target.{kind}", start, hidden=hidden, columns=2
        )
    if form is None:
        return None
    config = form.changed({"goal": goal} | target)
    largest = float(config.strengths[-1])
    strength = knob.slider(
        "Strength", 0.0, largest, min(0.3, largest) if largest <= 2 else 4.0,
        0.01 if largest <= 2 else 1.0, key=f"target.strength.{kind}",
        bind="query-params", help=config.strength_unit,
    )  # fmt: skip
    return config, strength


def exposure_table(
    answers: dict[str, ProbeAnswer], ranks: dict[str, pd.DataFrame], labels: dict[str, str]
) -> pd.DataFrame:
    """One row a run: how often lists hold the target, which share of their places, median rank."""
    rows = []
    for run, answer in answers.items():
        row: dict[str, Any] = {"run": labels[run]}
        for name, metrics in answer.target.items():
            row[f"in first {CUTOFF}: {name}"] = metrics[f"entered@{CUTOFF}"]
        of_run = ranks[labels[run]]
        if of_run["item"].nunique() > 1:
            for name, metrics in answer.target.items():
                row[f"CHR@{CUTOFF}: {name}"] = metrics[f"chr@{CUTOFF}"]
        row["rank: clean"] = of_run["rank_before"].median()
        row["rank: perturbed"] = of_run["rank_after"].median()
        rows.append(row)
    return pd.DataFrame(rows)


def _pictures(known: dict[str, RobustnessProbe], config: GoalConfig, strength: float) -> None:
    """The picture before and after, where the picture is what was attacked."""
    from engine.robustness import PictureConfig, picture_change

    item = config.target_item
    if not isinstance(config, PictureConfig) or item is None:
        return
    probe = next(iter(known.values()))
    change = picture_change(probe.model.trained, config, strength, item)
    cards.three_pictures(change)
    st.caption(
        f"Attacked for {escape(probe.model.trained.label)}; other runs see another change. "
        f"{escape(change.caption)}"
    )


def _lists(
    dataset: Dataset, probe: RobustnessProbe, answer: ProbeAnswer, ranks: pd.DataFrame
) -> None:
    """Lists of the users with whom the target moved most, those it reached first; it is marked."""
    reached = (ranks["rank_after"] <= SHOWN_ITEMS) & (ranks["rank_before"] > SHOWN_ITEMS)
    moved = ranks.assign(reached=reached, moved=ranks["climb"].abs())
    by_user = moved.groupby("user").agg(
        reached=("reached", "sum"), moved=("moved", "max"),
        before=("rank_before", "min"), after=("rank_after", "min"),
    )  # fmt: skip
    by_user = by_user.sort_values(["reached", "moved"], ascending=False, kind="stable")
    targets = set(ranks["item"])
    best = "rank" if len(targets) == 1 else "best rank"
    shown = by_user.head(SHOWN_USERS).reset_index().to_dict("records")
    for column, row in zip(st.columns(SHOWN_USERS, gap="large"), shown, strict=False):
        with column:
            user = int(row["user"])
            st.markdown(f"**User {user}**: {best} {int(row['before'])} → {int(row['after'])}")
            after = probe.lists(answer, user, SHOWN_ITEMS)
            after = after[after["in_after"]].sort_values("rank_after")
            ids = [int(i) for i in after["item"]]
            pairs = zip(after["rank_before"], after["rank_after"], strict=True)
            notes = [cards.shift_note(int(b), int(a)) for b, a in pairs]
            marks = ["◀ attacked" if i in targets else "" for i in ids]
            cards.ranked_list(dataset.items, ids, notes, marks)
    newly = int((by_user["reached"] > 0).sum())
    st.caption(
        f"Top ten under the attack; {newly} of {len(by_user)} users newly have the "
        f"{'item' if len(targets) == 1 else 'products'} there. Shown are {SHOWN_USERS} of them, or "
        "of those with whom it moved most."
    )
