"""How runs and their strategies are called on the pages."""

from __future__ import annotations

import pandas as pd

from engine.runs.comparison.strategies import strategies_in


def with_groups(table: pd.DataFrame) -> pd.DataFrame:
    """The runs table with a column ``group``: the strategy that each run is a seed of.

    A strategy is called the same on every dataset.
    """
    groups = [strategies_in(rows) for _, rows in table.groupby("fingerprint", dropna=False)]
    names = pd.concat(groups) if groups else pd.Series(dtype=object)
    return table.assign(group=names.reindex(table.index))


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
