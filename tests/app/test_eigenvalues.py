"""On the Curvature page, seeds of one strategy stand together and single runs by themselves."""

from __future__ import annotations

import pandas as pd

from app.charts.style import look
from app.panels.curvature import flatness as eigenvalues
from app.selection.choice import Choice


def choice_of(names: list[str]) -> Choice:
    """Runs r0, r1, ... of these names, grouped by what stands before the seed."""
    ids = [f"r{i}" for i in range(len(names))]
    table = pd.DataFrame({"id": ids, "name": names, "fingerprint": "f", "dataset": "shop"})
    table["group"] = [name.partition(",")[0] for name in names]
    labels = dict(zip(ids, names, strict=True))
    return Choice(ids, labels, {name: look(i) for i, name in enumerate(names)}, table)


def test_runs_of_one_group_are_one_strategy_in_the_look_of_the_oldest() -> None:
    names, looks = eigenvalues.strategies(choice_of(["plain, seed 3", "plain, seed 4", "mg"]))
    assert names == {"r0": "plain", "r1": "plain", "r2": "mg"}
    assert looks == {"plain": look(0), "mg": look(2)}


def test_a_strategy_of_one_run_is_called_as_the_run_is() -> None:
    names, looks = eigenvalues.strategies(choice_of(["plain, seed 3", "mg, seed 3"]))
    assert names == {"r0": "plain, seed 3", "r1": "mg, seed 3"}
    assert looks == {"plain, seed 3": look(0), "mg, seed 3": look(1)}
