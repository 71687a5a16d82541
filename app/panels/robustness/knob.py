"""The knob: one strength, answered at once for all chosen runs, and what it does to one user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.charts import curves as charts
from app.charts.style import CONFIG
from app.charts.text import escape
from app.selection.choice import Choice
from app.widgets.config_form import config_form
from app.widgets.downloads import table_and_csv
from app.widgets.error_boundary import show_errors
from app.widgets.items import cards
from app.widgets.probes import CUTOFFS, probes

if TYPE_CHECKING:
    from engine.data import Dataset
    from engine.robustness import PerturbationConfig, ProbeAnswer, RobustnessProbe

MOST_LOSERS = 12


@st.fragment
@show_errors()
def knob(choice: Choice, dataset: Dataset) -> None:
    """Kind, modality and strength; metrics of all runs; one user's list; who lost most."""
    from engine.robustness import FEATURE_PERTURBATIONS

    left, middle, right = st.columns([2, 2, 3], vertical_alignment="bottom")
    kind = left.selectbox(
        "Perturbation",
        list(FEATURE_PERTURBATIONS),
        index=list(FEATURE_PERTURBATIONS).index("fgsm"),
        format_func=lambda name: FEATURE_PERTURBATIONS[name].title,
        key="kind",
        bind="query-params",
    )
    perturbation = FEATURE_PERTURBATIONS[kind]
    with middle.popover("Its settings", icon=":material/tune:", width="stretch"):
        st.caption(f"{perturbation.title}: {perturbation.risk}.")
        config = config_form(perturbation, f"knob.{kind}", columns=2)
    if config is None:
        return
    strength = right.slider(
        "Strength",
        0.0,
        float(config.strength_limit or max(config.strengths)),
        0.1,
        0.01,
        key=f"strength.{kind}",
        bind="query-params",
        help=config.strength_unit,
    )
    st.caption(f"Strength 1 is: {config.strength_unit}. Strength 0 is the clean model.")
    known = probes(choice)
    answers = {run: probe.at(config, strength) for run, probe in known.items()}
    metric = st.segmented_control(
        "Metric", [f"{m}@{k}" for m in ("recall", "ndcg") for k in CUTOFFS],
        default="recall@20", required=True, key="knob.metric", bind="query-params",
    ) or "recall@20"  # fmt: skip
    _accuracy(choice, config, answers, metric, strength)
    one = _one_run(choice)
    _one_users_list(dataset, known[one], answers[one], metric)


def _accuracy(
    choice: Choice,
    config: PerturbationConfig,
    answers: dict[str, ProbeAnswer],
    metric: str,
    strength: float,
) -> None:
    table = by_strategy(choice, answers, metric)
    figure = charts.before_and_after(table, metric, choice.looks)
    st.plotly_chart(figure, config=CONFIG, key="knob.chart", alt=f"{metric} before and after")
    first = next(iter(answers.values()))
    several = choice.table["group"].nunique() < len(choice.ids)
    seeds = "means over seeds" if several else "one seed a run"
    notes = {choice.labels[run]: a.note for run, a in answers.items() if a.note}
    others = " ".join(
        f"{escape(label)}: {escape(note)}" for label, note in notes.items() if note != first.note
    )
    st.caption(f"{choice.dataset}, test split, {seeds}. {escape(first.caption)} {others}")
    export = table.rename(columns={"label": "run"}).assign(
        perturbation=config.title, strength=strength, unit=config.strength_unit, metric=metric
    )
    table_and_csv(export, "one-strength")


def by_strategy(choice: Choice, answers: dict[str, ProbeAnswer], metric: str) -> pd.DataFrame:
    """One row a strategy: label, clean, perturbed, control and removed, means over its runs.

    Where no strategy has several runs, one row a run.
    """
    from engine.evaluation import metric_intervals

    groups = choice.table.set_index("id")["group"]
    names = groups if not groups.is_unique else pd.Series(choice.labels)
    rows = [
        {"group": names[run], **answer.means().set_index("metric").loc[metric].to_dict()}
        for run, answer in answers.items()
    ]
    values = pd.DataFrame(rows)
    columns = [c for c in values.columns if c != "group" and values[c].notna().any()]
    means = metric_intervals(values, columns).pivot(index="group", columns="metric", values="mean")
    order = list(dict.fromkeys(values["group"]))
    return means.loc[order, columns].rename_axis("label").reset_index()


def _one_run(choice: Choice) -> str:
    st.subheader("One user's list")
    return st.selectbox(
        "Run",
        choice.ids,
        format_func=choice.labels.__getitem__,
        key="knob.run",
        bind="query-params",
    )


def _one_users_list(
    dataset: Dataset, probe: RobustnessProbe, answer: ProbeAnswer, metric: str
) -> None:
    losers = answer.losers(metric, MOST_LOSERS)
    names = {
        int(row["user"]): f"user {int(row['user'])}: {metric} {row['clean']:.2f} → "
        f"{row['perturbed']:.2f}"
        for row in losers.to_dict("records")
    }
    users = list(names) + [int(u) for u in answer.users if int(u) not in names]
    user = st.selectbox(
        "User",
        users,
        format_func=lambda u: names.get(u, f"user {u}"),
        key="knob.user",
        bind="query-params",
        help="Those who lost most come first; type a number to find any other.",
    )
    lists = probe.lists(answer, user)
    before = lists[lists["in_before"]].sort_values("rank_before")
    after = lists[lists["in_after"]].sort_values("rank_after")
    liked = {int(i): "♥ bought later" for i in lists.loc[lists["is_relevant"], "item"]}
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Before**: clean features")
        ids = [int(i) for i in before["item"]]
        gone = before["in_after"].to_numpy(dtype=bool)
        notes = ["" if stays else "<span class='basin-down'>leaves</span>" for stays in gone]
        cards.ranked_list(dataset.items, ids, notes, [liked.get(i, "") for i in ids])
    with right:
        st.markdown(f"**After**: {answer.config.title}, strength {answer.strength:g}")
        ids = [int(i) for i in after["item"]]
        pairs = zip(after["rank_before"], after["rank_after"], strict=True)
        notes = [cards.shift_note(int(b), int(a)) for b, a in pairs]
        cards.ranked_list(dataset.items, ids, notes, [liked.get(i, "") for i in ids])
    st.caption(
        f"Top ten of user {user} with training items left out. ▲ and ▼: places climbed and fallen; "
        "♥: in the user's test items, which the list should find."
    )
    st.markdown("**Who lost most**")
    numbers = {
        name: st.column_config.NumberColumn(format="%.3f")
        for name in ("clean", "perturbed", "change")
    }
    st.dataframe(losers, hide_index=True, height=220, column_config=numbers)
    st.caption(f"The {len(losers)} users of {len(answer.users)} who lost most {metric}.")
    table_and_csv(lists, "one-user", "One user's list as a table")
