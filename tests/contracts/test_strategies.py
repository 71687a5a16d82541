"""Seeds of one strategy are told by one rule, whether by folders, the runs table or open models."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.runs import RunStore
from engine.runs.comparison.strategies import strategies_in, strategy_names
from engine.training import MemoryRecorder, TrainConfig, fit, preset, strategies_of

PLAIN = preset("plain").changed({"epochs": 1, "device": "cpu"})

Described = tuple[str, dict[str, Any]]

CASES: dict[str, tuple[list[Described], list[str]]] = {
    "names are mixed, settings equal": (
        [("plain, seed 0", {}), ("my second try", {"seed": 1}), ("plain-s2", {"seed": 2})],
        ["plain", "plain", "plain"],
    ),
    "the seed stands in the name in several ways": (
        [("mg seed 0", {}), ("mg (seed 1)", {"seed": 1}), ("amr, epsilon=0.03", {"epochs": 9})],
        ["mg", "mg", "amr, epsilon=0.03"],
    ),
    "one name, other settings": (
        [("plain", {}), ("plain", {"epochs": 9}), ("plain", {"seed": 1})],
        ["plain", "plain (2)", "plain"],
    ),
    "other devices, and weights kept on the way": (
        [("sam", {}), ("sam", {"seed": 1, "device": "cuda"}), ("sam", {"snapshots_every": 2})],
        ["sam", "sam", "sam"],
    ),
    "matched to the passes of each seed of two strategies": (
        [
            ("plain", {}),
            ("as mg, seed 0", {"match_gradient_passes": 70}),
            ("as mg, seed 1", {"match_gradient_passes": 90, "seed": 1}),
            ("as amr, seed 0", {"match_gradient_passes": 90}),
            ("plain", {"match_gradient_passes": 80}),
        ],
        ["plain", "as mg", "as mg", "as amr", "plain (2)"],
    ),
    "each begun at the weights of its own seed's run": (
        [
            ("amr", {}),
            ("amr from plain, seed 0", {"start_from": "20260101-a"}),
            ("amr from plain, seed 1", {"start_from": "20260101-b", "seed": 1}),
        ],
        ["amr", "amr from plain", "amr from plain"],
    ),
}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[list[Described], list[str]]:
    return CASES[request.param]


def configs(described: list[Described]) -> list[TrainConfig]:
    return [PLAIN.changed(changes) for _, changes in described]


def test_the_rule_by_folders_and_by_the_table(case, tmp_path: Path) -> None:
    described, expected = case
    store = RunStore(tmp_path / "runs")
    runs = []
    for (name, _), config in zip(described, configs(described), strict=True):
        runs.append(store.create(config.model_dump(mode="json"), {}, name=name))
        time.sleep(0.002)  # ids sort by the millisecond
    assert strategy_names(runs) == expected
    assert strategy_names(runs[::-1]) == expected[::-1], "in whatever order they are listed"
    table = store.list()
    by_id = pd.Series(strategies_in(table).to_numpy(), index=table["id"])
    assert [by_id[run.id] for run in runs] == expected


def test_the_rule_by_open_models(case, tiny) -> None:
    described, expected = case
    model = fit(tiny, PLAIN, MemoryRecorder()).trained(tiny)
    models = [
        replace(model, label=name, config=config)
        for (name, _), config in zip(described, configs(described), strict=True)
    ]
    assert strategies_of(models) == expected
    told = [replace(each, strategy=f"told {place}") for place, each in enumerate(models)]
    assert strategies_of(told) == [each.strategy for each in told], "opened together"


def test_a_setting_unknown_to_older_runs_is_no_difference_while_it_is_unset(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    older = PLAIN.model_dump(mode="json")
    del older["averaging"], older["max_seconds"], older["objective"]["adversary"]
    newer = PLAIN.changed({"seed": 1}).model_dump(mode="json")
    changed = PLAIN.changed({"seed": 1, "max_seconds": 60}).model_dump(mode="json")
    runs = []
    for config in (older, newer, changed):
        runs.append(store.create(config, {}, name="plain"))
        time.sleep(0.002)
    assert strategy_names(runs) == ["plain", "plain", "plain (2)"]
    assert list(strategies_in(store.list())) == ["plain (2)", "plain", "plain"]


def test_a_resumed_run_stays_a_seed_of_its_strategy(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    config = PLAIN.model_dump(mode="json")
    first, second = (store.create(config | {"seed": s}, {}, name="plain") for s in (0, 1))
    with pytest.raises(KeyboardInterrupt), first.running():
        raise KeyboardInterrupt
    with first.running():
        first.save_summary({"test": {"recall@20": 0.1}})
    assert strategy_names([first, second]) == ["plain", "plain"]
    assert set(strategies_in(store.list())) == {"plain"}


def test_runs_on_other_data_are_other_strategies(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    for fingerprint in ("aa", "bb"):
        store.create({"seed": 0}, {"dataset": {"fingerprint": fingerprint}}, name="plain")
        time.sleep(0.002)
    assert list(strategies_in(store.list())) == ["plain (2)", "plain"]
