"""Rows of the runs table become groups with intervals; the statistics are the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts.style import Look
from app.selection.groups import with_groups
from app.selection.state import Choice
from engine.runs import RunStore


def seeds_table(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a run: group, seed and its test metrics; runs without test metrics are left out."""
    columns = {f"test.{m}": m for m in metrics}
    grouped = with_groups(table)
    present = grouped.reindex(columns=["group", "seed", "id", *columns]).rename(columns=columns)
    return present.dropna(subset=list(metrics)).reset_index(drop=True)


def intervals_table(values: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of each group and metric; NaN limits for one seed."""
    from engine.evaluation import mean_interval

    rows = []
    for group, runs in values.groupby("group", sort=False):
        for metric in metrics:
            found = mean_interval(runs[metric].to_numpy(dtype=float))
            rows.append((group, metric, found.mean, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["group", "metric", "mean", "low", "high", "n"])


def strategies_table(
    store: RunStore, values: pd.DataFrame, metric: str, baseline: str
) -> pd.DataFrame:
    """The chosen runs as ``python -m engine compare`` has them, a strategy being a group.

    ``values`` is a ``seeds_table``. See ``engine.evaluation.compare`` for the columns; ``n_users``,
    how many users the differences by user are over, is one more.
    """
    runs = tuple(zip(values["id"], values["group"], strict=True))
    stamps = tuple(store.get(run).status.ended for run in values["id"])
    return _strategies(str(store.root), runs, stamps, metric, baseline)


@st.cache_data(show_spinner="Comparing user by user ...", max_entries=64)
def _strategies(
    root: str, runs: tuple[tuple[str, str], ...], ended: tuple[str, ...], metric: str, baseline: str
) -> pd.DataFrame:
    from engine.evaluation import compare
    from engine.runs.outcomes import outcomes_of

    del ended  # only part of the key: a run trained again is read again
    store = RunStore(root)
    outcomes = outcomes_of([store.get(run) for run, _ in runs], metric)
    named = [replace(o, strategy=group) for o, (_, group) in zip(outcomes, runs, strict=True)]
    users = [set(o.by_user) for o in named if o.by_user]
    table = compare(named, metric, baseline)
    return table.assign(n_users=len(set.intersection(*users)) if users else 0)


COST_CAPTION = (
    "Strategies are ordered by validation. Gradient passes and wall time are means over a "
    "strategy's runs: a strategy that took more passes had more training, so compare it with a "
    "baseline of equal passes too."
)


def column_help() -> dict[str, Any]:
    """Titles and explanations of the columns of ``strategies_table``."""
    number, whole = st.column_config.NumberColumn, "%d"
    fine, signed = "%.4f", "%+.4f"
    return {
        "strategy": "Strategy",
        "n_seeds": number("Seeds", format=whole),
        "gradient_passes": number("Passes", format="%.0f", help="Gradient passes, mean over runs"),
        "seconds": number("Wall time (s)", format="%.1f", help="Mean over runs"),
        "valid": number("Valid", format=fine, help="Validation mean; orders the rows"),
        "test": number("Test", format=fine, help="Test mean over seeds"),
        "test_low": number("Test low", format=fine, help="95 % t interval over seeds"),
        "test_high": number("Test high", format=fine, help="95 % t interval over seeds"),
        "difference": number("Difference", format=signed, help="Test, paired by seed"),
        "difference_low": number("Seeds low", format=signed, help="95 % t interval over seeds"),
        "difference_high": number("Seeds high", format=signed, help="95 % t interval over seeds"),
        "effect_size": number("Effect size", format="%.2f", help="Cohen's d of the paired seeds"),
        "n_pairs": number("Pairs", format=whole, help="Seeds shared with the baseline"),
        "by_user": number("By user", format=signed, help="Mean of the users' differences"),
        "by_user_low": number("Users low", format=signed, help="95 % bootstrap over users"),
        "by_user_high": number("Users high", format=signed, help="95 % bootstrap over users"),
        "n_users": number("Users", format=whole, help="Users with test items"),
        "note": "Note",
    }


def differences_over(table: pd.DataFrame) -> pd.DataFrame:
    """Differences to the baseline with their intervals: one row a strategy and what it is over.

    Columns: group, over ('seeds' or 'users'), mean, low, high, n. Strategies without a seed in
    common with the baseline are left out, users where a run did not keep them.
    """
    rows = []
    for row in table[(table["note"] != "baseline") & (table["n_pairs"] > 0)].to_dict("records"):
        for over, name, n in (("seeds", "difference", "n_pairs"), ("users", "by_user", "n_users")):
            limits = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
            if np.isfinite(limits[0]):
                rows.append((row["strategy"], over, *limits, row[n]))
    return pd.DataFrame(rows, columns=["group", "over", "mean", "low", "high", "n"])


def settings_that_differ(table: pd.DataFrame) -> pd.DataFrame:
    """One row a setting that is not the same in all runs, one column a run."""
    names = [c for c in table.columns if c.startswith("config.")]
    configs = table.set_index("label")[names].T
    configs.index = configs.index.str.removeprefix("config.")
    shown = configs.astype(object).where(configs.notna(), "").astype(str)
    return shown[shown.nunique(axis=1) > 1].rename_axis("setting").reset_index()


def looks_of_groups(values: pd.DataFrame, choice: Choice) -> dict[str, Look]:
    """Each group is drawn like its oldest chosen run."""
    firsts = values.sort_values("id").drop_duplicates("group")
    return {
        group: choice.looks[choice.labels[run]]
        for group, run in zip(firsts["group"], firsts["id"], strict=True)
    }


def differences_caption(gaps: pd.DataFrame, dataset: str, baseline: str, metric: str) -> str:
    """Which interval is over what, and which differences may be chance."""
    seeds, users = (gaps[gaps["over"] == over] for over in ("seeds", "users"))
    text = (
        f"{dataset}, test {metric} minus that of {baseline}, at the epoch validation chose; runs "
        "are paired by seed. **Filled, over seeds**: Student's t interval at 95 %: would other "
        "seeds show it too? "
    )
    if len(users):
        text += (
            f"**Open, over users**: 95 % bootstrap interval of the same difference over "
            f"{int(users['n'].max()):,} users, each averaged over the paired seeds: would other "
            "users show it too, with these very models? "
        )
    else:
        text += "There is no interval over users: these runs did not keep each user's metrics. "
    if (seeds["n"] < 2).any():
        text += "With one seed there is no interval over seeds: a difference may be chance. "
    for over, found in (("seeds", seeds), ("users", users)):
        unclear = found[(found["low"] <= 0) & (found["high"] >= 0)]
        if len(unclear):
            text += f"Over {over}, zero lies inside for {', '.join(unclear['group'])}. "
    return text.strip()
