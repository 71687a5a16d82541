"""Runs side by side: their test metrics, their settings, and differences to a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from engine.evaluation import compare
from engine.runs.comparison.outcomes import outcomes_of
from engine.runs.store import RunStore


def seeds_table(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row a run: group, seed, id and its test metrics; runs without them are left out.

    ``table`` is a store's table with a column ``group``, equal for seeds of one strategy.
    """
    columns = {f"test.{metric}": metric for metric in metrics}
    values = table.reindex(columns=["group", "seed", "id", *columns]).rename(columns=columns)
    return values.dropna(subset=list(metrics)).reset_index(drop=True)


def strategies_table(
    store: RunStore, strategies: Mapping[str, str], metric: str, baseline: str
) -> pd.DataFrame:
    """Strategies compared as ``python -m engine compare`` does; ``strategies`` is by run id.

    See ``engine.evaluation.compare`` for the columns; ``n_users``, how many users the differences
    by user are over, is one more.
    """
    outcomes = outcomes_of([store.get(run) for run in strategies], metric)
    renamed = [
        replace(o, strategy=name) for o, name in zip(outcomes, strategies.values(), strict=True)
    ]
    users = [set(o.by_user) for o in renamed if o.by_user]
    table = compare(renamed, metric, baseline)
    return table.assign(n_users=len(set.intersection(*users)) if users else 0)


def baseline_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Differences to the baseline with their intervals: one row a strategy and what it is over.

    ``table`` is a ``strategies_table``. Columns: group, over ('seeds' or 'users'), mean, low, high,
    n. Strategies without a seed in common with the baseline are left out, users where a run did not
    keep them.
    """
    rows = []
    for row in table[(table["note"] != "baseline") & (table["n_pairs"] > 0)].to_dict("records"):
        for over, name, n in (("seeds", "difference", "n_pairs"), ("users", "by_user", "n_users")):
            limits = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
            if np.isfinite(limits[0]):
                rows.append((row["strategy"], over, *limits, row[n]))
    return pd.DataFrame(rows, columns=["group", "over", "mean", "low", "high", "n"])


def settings_that_differ(table: pd.DataFrame) -> pd.DataFrame:
    """One row a setting that is not the same in all runs, one column a run (by ``label``)."""
    names = [c for c in table.columns if c.startswith("config.")]
    configs = table.set_index("label")[names].T
    configs.index = configs.index.str.removeprefix("config.")
    texts = configs.astype(object).where(configs.notna(), "").astype(str)
    return texts[texts.nunique(axis=1) > 1].rename_axis("setting").reset_index()


def unusual_settings(table: pd.DataFrame, most: int = 4) -> pd.Series:
    """What sets each run apart: its settings that are not the most common value of all runs.

    As text, ``name value`` of the first ``most``, by the table's index; '' where there are none.
    Seed, device and the model's name are left out.
    """
    left_out = ("config.seed", "config.device", "config.model.name")
    names = [c for c in table.columns if c.startswith("config.") and c not in left_out]
    apart = pd.Series("", table.index)
    counts = pd.Series(0, table.index)
    for name in names:
        texts = table[name].astype(object).where(table[name].notna(), "none").astype(str)
        is_unusual = texts != texts.mode().iloc[0]
        counts += is_unusual
        is_listed = is_unusual & (counts <= most)
        entry = f"{name.removeprefix('config.')} " + texts + ", "
        apart = apart.where(~is_listed, apart + entry)
    return apart.str.removesuffix(", ") + counts.gt(most).map({True: ", ...", False: ""})
