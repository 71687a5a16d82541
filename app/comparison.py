"""Rows of the runs table become groups with intervals; the statistics are the engine's."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from app.charts.style import Look
from app.groups import with_groups
from app.state import Choice


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


def differences_table(values: pd.DataFrame, baseline: str, metric: str) -> pd.DataFrame:
    """Each group minus the baseline, paired by seed: mean, 95 % interval, effect size."""
    from engine.evaluation import effect_size, mean_interval

    by_seed = values.drop_duplicates(["group", "seed"]).pivot(
        index="seed", columns="group", values=metric
    )
    rows = []
    for group in dict.fromkeys(values["group"]):
        if group == baseline:
            continue
        paired = by_seed[[baseline, group]].dropna()
        gaps = (paired[group] - paired[baseline]).to_numpy(dtype=float)
        if not len(gaps):
            continue
        found = mean_interval(gaps)
        rows.append((group, found.mean, found.low, found.high, found.n, effect_size(gaps)))
    return pd.DataFrame(rows, columns=["group", "mean", "low", "high", "n", "effect_size"])


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


def differences_caption(gaps: pd.DataFrame, baseline: str, metric: str) -> str:
    """What the differences show, and which of them may be chance."""
    text = (
        f"Test {metric} minus that of {baseline}, paired by seed, with a 95 % interval over seeds; "
        "the effect size in the table is Cohen's d of the paired differences. "
    )
    if (gaps["n"] < 2).any():
        text += "With one seed there is no interval: a difference may be chance. "
    unclear = gaps[(gaps["low"] <= 0) & (gaps["high"] >= 0)]
    if len(unclear):
        text += f"No difference is shown for {', '.join(unclear['group'])}: zero lies inside."
    return text
