"""Runs that differ in nothing but the seed belong together.

Compute-matched runs are allowed as many gradient passes as another run of their seed took, so the
number itself tells seeds apart, not strategies; their names tell what they were matched to.
"""

from __future__ import annotations

import pandas as pd

from engine.foundation.seeding import without_seed

SEED = "config.seed"
MATCHED = "config.match_gradient_passes"


def with_groups(table: pd.DataFrame) -> pd.DataFrame:
    """The runs table with a column ``group``: equal for runs that differ only in their seed.

    A group is called by the name its runs share, else by its oldest run's name.
    """
    table = table.copy()
    if table.empty:
        table["group"] = pd.Series(dtype=str)
        return table
    columns = [c for c in table.columns if c.startswith("config.") and c != SEED]
    settings = table[["fingerprint", *columns]].astype(object)
    settings = settings.where(settings.notna(), None)  # unset, or unknown when the run was made
    if MATCHED in settings:
        matched_to = table["name"].astype(str).map(without_seed)
        settings[MATCHED] = matched_to.where(settings[MATCHED].notna(), None)
    keys = settings.map(repr).agg("|".join, axis=1)
    names = {}
    for key, rows in table.sort_values("id").groupby(keys, sort=False):
        names[key] = without_seed(str(rows["name"].iloc[0]))
    counts = pd.Series(names).value_counts()
    for number, key in enumerate(names):
        if counts[names[key]] > 1:
            names[key] = f"{names[key]} ({number + 1})"
    table["group"] = keys.map(names)
    return table


def group_labels(table: pd.DataFrame) -> pd.Series:
    """A unique label for each run, which later runs do not change: its name.

    Where an older run has the name, the seed is added, or the end of the id.
    """
    labels: dict[str, str] = {}
    taken: set[str] = set()
    rows = table.sort_values("id")[["id", "name", "seed"]].itertuples(index=False)
    for id_, name, seed in rows:
        ways = (f"{name}", f"{name}, seed {seed}", f"{name} · {str(id_)[-4:]}", f"{name} · {id_}")
        labels[id_] = next(way for way in ways if way not in taken)
        taken.add(labels[id_])
    return table["id"].map(labels).astype(object)
