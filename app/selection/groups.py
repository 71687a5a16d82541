"""How runs and their strategies are called on the pages."""

from __future__ import annotations

import pandas as pd

from engine.runs.strategies import strategies_in


def with_groups(table: pd.DataFrame) -> pd.DataFrame:
    """The runs table with a column ``group``: the strategy that each run is a seed of."""
    return table.assign(group=strategies_in(table))


def group_labels(table: pd.DataFrame) -> pd.Series:
    """A unique label for each run: its name; where names repeat, with its seed or its id's end."""
    names = table["name"].astype(str)
    repeated = names.duplicated(keep=False)
    seeded = names + ", seed " + table["seed"].astype(str)
    labels = names.where(~repeated, seeded)
    unclear = labels.duplicated(keep=False)
    return labels.where(~unclear, names + " · " + table["id"].astype(str).str[-4:])
