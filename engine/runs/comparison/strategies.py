"""Which runs are one strategy under several seeds, by their folders or by the runs table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.foundation import strategy_rule
from engine.foundation.strategy_rule import TrainedAs
from engine.runs.run import Run


def strategy_names(runs: Sequence[Run]) -> list[str]:
    """The strategy of each run, by ``engine.foundation.strategy_rule.strategy_names``."""
    return strategy_rule.strategy_names(
        [
            TrainedAs(
                run.name,
                run.config,
                str(run.provenance.get("dataset", {}).get("fingerprint", "")),
                run.id,
            )
            for run in runs
        ]
    )


def strategies_in(table: pd.DataFrame) -> pd.Series:
    """The same for rows of ``RunStore.list``, by their index."""
    prefix = "config."
    columns = [column for column in table.columns if column.startswith(prefix)]
    settings = table[columns].rename(columns=lambda column: column.removeprefix(prefix))
    described = [
        TrainedAs(str(name), {str(k): v for k, v in row.items()}, str(dataset or ""), str(id_))
        for name, row, dataset, id_ in zip(
            table["name"], settings.to_dict("records"), table["fingerprint"], table["id"],
            strict=True,
        )
    ]  # fmt: skip
    return pd.Series(strategy_rule.strategy_names(described), index=table.index, dtype=object)
